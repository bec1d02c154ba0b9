import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { StoreController } from "../controllers/store-controller.ts";
import { age, clock, moment } from "../format.ts";
import { player, SPEEDS } from "../state/recording.ts";
import { place } from "../state/place.ts";
import { panelStyles } from "../styles/panel.ts";

/** Says that what is shown happened before, and moves through it. Files dropped on the page are opened. */
export class RecordingBar extends LitElement {
  static override styles = [
    panelStyles,
    css`
      :host {
        display: none;
        border-radius: 0;
        border-width: 0 0 1px;
        background: color-mix(in oklch, var(--synthetic) 14%, var(--page));
        padding: 8px 20px;
        font-size: 13px;
      }
      :host([open]) {
        display: flex;
        flex-wrap: wrap;
        gap: 6px 14px;
        align-items: center;
      }
      b {
        color: var(--synthetic);
      }
      input {
        flex: 1 1 200px;
        accent-color: var(--synthetic);
      }
      select {
        font: inherit;
        font-size: 12px;
        color: var(--text);
        background: var(--panel);
        border: 1px solid var(--line);
        border-radius: 6px;
      }
      [role="alert"] {
        color: var(--bad);
      }
    `,
  ];
  readonly #live = new StoreController(this);

  override connectedCallback(): void {
    super.connectedCallback();
    player.addEventListener("change", this.#changed);
    window.addEventListener("dragover", this.#allow);
    window.addEventListener("drop", this.#drop);
    const asked = new URLSearchParams(location.search).get("recording");
    if (asked !== null) void player.fetch(asked);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    player.removeEventListener("change", this.#changed);
    window.removeEventListener("dragover", this.#allow);
    window.removeEventListener("drop", this.#drop);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { store } = this.#live;
    const isLost = store.connection.kind === "disconnected";
    this.toggleAttribute("open", store.isRecording || isLost || player.problem !== "");
    const problem =
      player.problem === "" ? nothing : html`<span role="alert">${player.problem}</span>`;
    if (store.isRecording) return html`${this.#controls()}${problem}`;
    return html`${problem}<span class="hint"
        >Without a proxy a recording can be shown: drop its file here, or</span
      ><button @click=${chooseFile}>open one…</button>`;
  }

  #controls(): TemplateResult {
    const { frames, at, name, isPlaying, speed } = player;
    const [first] = frames;
    const last = frames.at(-1);
    const nowMs = frames[at]?.nowMs ?? 0;
    const passed = `${age(nowMs - (first?.nowMs ?? nowMs))} of ${age((last?.nowMs ?? nowMs) - (first?.nowMs ?? nowMs))}`;
    return html`<b>recording</b><span>${name}, ${moment(nowMs)}</span>
      <button aria-pressed=${isPlaying} @click=${() => player.play(!isPlaying)}>
        ${isPlaying ? "❚❚ pause" : "▶ play"}
      </button>
      <input
        type="range"
        aria-label="Moment of the recording"
        aria-valuetext=${`${clock(nowMs)}, ${passed}`}
        min="0"
        max=${frames.length - 1}
        .value=${String(at)}
        @input=${(event: Event) => player.seek(Number((event.target as HTMLInputElement).value))}
      />
      <span class="hint">${passed}</span>
      <select
        aria-label="Speed"
        @change=${(event: Event) => player.setSpeed(Number((event.target as HTMLSelectElement).value))}
      >
        ${SPEEDS.map((one) => html`<option value=${one} ?selected=${one === speed}>${one} ×</option>`)}
      </select>
      <button @click=${backToLive}>✕ back to live</button>`;
  }

  readonly #changed = (): void => {
    this.requestUpdate();
  };

  readonly #allow = (event: DragEvent): void => {
    if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault();
  };

  readonly #drop = (event: DragEvent): void => {
    const file = event.dataTransfer?.files[0];
    if (file === undefined) return;
    event.preventDefault();
    void player.open(file);
  };
}

/** Asks for a file, as the key `o` does. */
export function chooseFile(): void {
  const input = Object.assign(document.createElement("input"), { type: "file", hidden: true });
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file !== undefined) void player.open(file);
    input.remove();
  });
  input.addEventListener("cancel", () => {
    input.remove();
  });
  // One that is on no page may be collected while its dialog is open.
  document.body.append(input);
  input.click();
}

function backToLive(): void {
  place.set("recording", null);
  const url = new URL(location.href);
  url.searchParams.delete("recording");
  location.assign(url);
}

customElements.define("recording-bar", RecordingBar);
