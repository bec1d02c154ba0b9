import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { SweepRequest, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { grouped } from "../format.ts";
import { ApiError, ask } from "../state/api.ts";
import { sweepCurl } from "../state/sweep-curl.ts";
import { panelStyles } from "../styles/panel.ts";

/** How long one shape takes with each preset, as `pitot sweep --help` says. */
const PRESETS = [
  ["smoke", "smoke: under a minute"],
  ["quick", "quick: about 5 minutes"],
  ["standard", "standard: up to 20 minutes"],
  ["full", "full: hours"],
] as const;

/** Shapes people ask for first; any other can be typed. */
const SHAPES = ["1024x128", "128x128", "512x512", "4096x256", "almanac-9", "my-traffic"] as const;

const PATHS = [
  ["both", "both, in pairs: shows what the proxy adds"],
  ["direct", "straight to the replica"],
  ["routed", "through the proxy"],
] as const;

const TRAFFIC = [
  ["drained", "drain it first: users go to the others"],
  ["beside", "beside its users, guarded"],
] as const;

/** Asks for a sweep: what it will be, what it does to users, the request that asks the same, and then the button. */
export class SweepForm extends LitElement {
  static override properties = {
    request: { state: true },
    busy: { state: true },
    problem: { state: true },
    mustConfirm: { state: true },
  };
  static override styles = [
    panelStyles,
    css`
      form {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr));
        gap: 10px 16px;
      }
      label {
        display: grid;
        gap: 3px;
        font-size: 12px;
        color: var(--faint);
        min-width: 0;
      }
      select,
      input:not([type]) {
        font: inherit;
        font-size: 13px;
        color: var(--text);
        background: var(--page);
        border: 1px solid var(--line);
        border-radius: 7px;
        padding: 5px 8px;
        min-width: 0;
      }
      .all {
        grid-column: 1 / -1;
      }
      .check {
        display: flex;
        align-items: center;
        gap: 8px;
        color: var(--text);
        font-size: 13px;
      }
      .users {
        border-left: 3px solid var(--warn);
        padding: 6px 10px;
        margin: 0;
        font-size: 13px;
        background: color-mix(in oklch, var(--warn) 10%, transparent);
      }
      .bad {
        color: var(--bad);
        margin: 0;
      }
      pre {
        font: 12px/1.5 var(--mono);
        background: var(--raised);
        border-radius: 8px;
        padding: 8px 10px;
        margin: 6px 0 0;
        overflow-x: auto;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      button[type="submit"] {
        font-size: 13px;
        padding: 6px 16px;
        color: var(--text);
        border-color: var(--accent);
      }
      summary {
        font-size: 12px;
        color: var(--soft);
        cursor: pointer;
      }
    `,
  ];
  declare request: SweepRequest;
  declare busy: boolean;
  declare problem: string | null;
  declare mustConfirm: boolean;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  constructor() {
    super();
    this.request = {
      replica: "",
      shapes: ["1024x128"],
      preset: "quick",
      objectives: ["ttft_p50<=300ms", "ttft_p95<=1s"],
      path: "both",
      traffic: "drained",
    };
    this.busy = false;
    this.problem = null;
    this.mustConfirm = false;
  }

  protected override willUpdate(): void {
    if (this.request.replica !== "") return;
    const asked = this.#at.place.query.get("replica");
    const [first] = this.#live.store.replicas.keys();
    const replica = asked ?? first;
    if (replica !== undefined) this.request = { ...this.request, replica };
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    return html`<header>
        <h2>New sweep</h2>
        <span class="hint">from one request at a time to a flood, and the rates between</span>
      </header>
      ${
        store.mayWrite
          ? this.#form()
          : html`<p class="hint">read only: the board has no right to start one</p>`
      }`;
  }

  #form(): TemplateResult {
    const { request } = this;
    const replicas = [...this.#live.store.replicas.keys()];
    return html`<form
      @submit=${(event: Event) => {
        event.preventDefault();
        void this.#start();
      }}
    >
      ${this.#choice(
        "Replica",
        "replica",
        replicas.map((id) => [id, id]),
      )}
      <label
        >Shapes, input x output tokens
        <input
          name="shapes"
          list="shapes"
          required
          .value=${(request.shapes ?? []).join(", ")}
          @change=${(event: Event) => this.#set("shapes", listOf(event))}
        />
        <datalist id="shapes">
          ${SHAPES.map((shape) => html`<option value=${shape}></option>`)}
        </datalist>
      </label>
      ${this.#choice("How thoroughly", "preset", PRESETS)}
      <label
        >Objectives
        <input
          name="objectives"
          required
          .value=${(request.objectives ?? []).join(", ")}
          @change=${(event: Event) => this.#set("objectives", listOf(event))}
        />
      </label>
      ${this.#choice("Path", "path", PATHS)} ${this.#choice("Its users", "traffic", TRAFFIC)}
      <p class="users all">${this.#users()}</p>
      ${this.#confirmation()}
      ${this.problem === null ? nothing : html`<p class="bad all" role="alert">${this.problem}</p>`}
      <details class="all">
        <summary>the same as a request</summary>
        <pre>${sweepCurl(this.request)}</pre>
      </details>
      <div class="all">
        <button type="submit" ?disabled=${this.busy || request.replica === ""}>
          ${this.busy ? "starting…" : "start sweep"}
        </button>
      </div>
    </form>`;
  }

  #choice(
    title: string,
    field: "replica" | "preset" | "path" | "traffic",
    options: readonly (readonly [string, string])[],
  ): TemplateResult {
    return html`<label
      >${title}
      <select
        name=${field}
        @change=${(event: Event) => this.#set(field, (event.target as HTMLSelectElement).value)}
      >
        ${options.map(
          ([value, text]) =>
            html`<option value=${value} ?selected=${value === this.request[field]}>
              ${text}
            </option>`,
        )}
      </select>
    </label>`;
  }

  /** What it does to the people who use the replica now. */
  #users(): string {
    const { store } = this.#live;
    const view = store.replicas.get(this.request.replica);
    if (view === undefined) return "No replica is chosen.";
    const others = [...store.replicas.values()].filter(
      ({ id, state }) => id !== view.id && state === "up",
    ).length;
    const isIdle = view.inFlight === 0;
    const now = `${isIdle ? "None" : grouped(view.inFlight)} in flight on ${view.id} now.`;
    return this.request.traffic === "beside"
      ? `${now} ${isIdle ? "Users stay on it" : "They stay"}; the sweep ends by itself when their first tokens come late or a promise burns.`
      : `${now} ${isIdle ? "New ones" : "They finish, new ones"} go to the ${others} other replica${others === 1 ? "" : "s"}, and it comes back afterwards.`;
  }

  #confirmation(): TemplateResult | typeof nothing {
    if (!this.mustConfirm && this.request.traffic !== "beside") return nothing;
    return html`<label class="check all"
      ><input
        type="checkbox"
        name="confirm"
        .checked=${this.request.confirm === true}
        @change=${(event: Event) => this.#set("confirm", (event.target as HTMLInputElement).checked)}
      />I mean it: synthetic load may slow users of this replica</label
    >`;
  }

  #set(field: keyof SweepRequest, value: string | boolean | readonly string[]): void {
    this.request = { ...this.request, [field]: value };
    this.problem = null;
  }

  async #start(): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      const view = await ask<SweepView>("/sweeps", { method: "POST", body: this.request });
      this.#at.place.go("sweeps", view.id);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      if (error instanceof ApiError && error.status === 409) this.mustConfirm = true;
    } finally {
      this.busy = false;
    }
  }
}

function listOf(event: Event): readonly string[] {
  return (event.target as HTMLInputElement).value
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

customElements.define("sweep-form", SweepForm);
