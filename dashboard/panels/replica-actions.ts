import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { ask } from "../state/api.ts";
import { dialogStyles } from "../styles/dialog.ts";

type Action = "drain" | "undrain" | "disable";

/** How long the way back is offered after an action. */
const UNDO_MS = 10_000;

/** Takes a replica out of routing or puts it back: says what will happen first, and how to undo it afterwards. */
export class ReplicaActions extends LitElement {
  static override properties = {
    view: { attribute: false },
    asked: { state: true },
    busy: { state: true },
    problem: { state: true },
    undo: { state: true },
  };
  static override styles = [
    dialogStyles,
    css`
      :host {
        display: inline-flex;
        gap: 6px;
        align-items: center;
      }
      .said {
        font-size: 12px;
        color: var(--soft);
      }
      .bad {
        color: var(--bad);
      }
    `,
  ];
  declare view: ReplicaView | null;
  declare asked: Action | null;
  declare busy: boolean;
  declare problem: string | null;
  declare undo: boolean;
  readonly #live = new StoreController(this);

  constructor() {
    super();
    this.view = null;
    this.asked = null;
    this.busy = false;
    this.problem = null;
    this.undo = false;
  }

  protected override updated(): void {
    const dialog = this.renderRoot.querySelector("dialog");
    if (this.asked !== null && dialog?.open === false) dialog.showModal();
  }

  protected override render(): TemplateResult | typeof nothing {
    const { view } = this;
    if (view === null) return nothing;
    if (!this.#live.store.mayWrite)
      return html`<span class="said">read only: the board has no right to write</span>`;
    const isOut = view.state === "draining" || view.state === "disabled";
    return html`${
      isOut
        ? html`<button ?disabled=${this.busy} @click=${() => this.#do("undrain")}>put back</button>`
        : html`<button ?disabled=${this.busy} @click=${() => (this.asked = "drain")}>drain…</button>
            <button ?disabled=${this.busy} @click=${() => (this.asked = "disable")}>
              disable…
            </button>`
    }
    ${this.undo ? html`<button @click=${() => this.#do("undrain")}>undo</button>` : nothing}
    ${this.busy ? html`<span class="said" role="status">working…</span>` : nothing}
    ${this.problem === null ? nothing : html`<span class="said bad" role="alert">${this.problem}</span>`}
    ${this.asked === null ? nothing : this.#dialog(view, this.asked)}`;
  }

  #dialog(view: ReplicaView, action: Action): TemplateResult {
    const others = [...this.#live.store.replicas.values()].filter(
      (other) => other.id !== view.id && other.state === "up",
    ).length;
    const flying =
      action === "drain"
        ? `${view.inFlight} in flight will finish`
        : `${view.inFlight} in flight will be cut, their clients see an error`;
    return html`<dialog aria-label="${action} ${view.id}" @close=${() => (this.asked = null)}>
      <header><h2>${action === "drain" ? "Drain" : "Disable"} ${view.id}?</h2></header>
      <p>
        It gets no new requests; ${flying}. ${others} replica${others === 1 ? "" : "s"} left to take
        the load.
      </p>
      ${others === 0 ? html`<p style="color: var(--bad)">This is the last one: every new request will be answered 503.</p>` : nothing}
      <div class="actions">
        <button @click=${() => (this.asked = null)}>keep it</button>
        <button class="danger" @click=${() => this.#do(action)}>${action}</button>
      </div>
    </dialog>`;
  }

  async #do(action: Action): Promise<void> {
    const { view } = this;
    if (view === null) return;
    this.asked = null;
    this.busy = true;
    this.problem = null;
    this.undo = false;
    try {
      await ask(`/replicas/${encodeURIComponent(view.id)}/${action}`, { method: "POST", body: {} });
      this.#offerUndo(action);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.busy = false;
    }
  }

  #offerUndo(action: Action): void {
    if (action === "undrain") return;
    this.undo = true;
    setTimeout(() => {
      this.undo = false;
    }, UNDO_MS);
  }
}

customElements.define("replica-actions", ReplicaActions);
