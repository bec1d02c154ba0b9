import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { download, type Figures, tabbedOf } from "../state/figures.ts";

/** How long a button says that it copied. */
const SAID_MS = 1_500;

/** What every panel offers of its figures: a table instead of the picture, a copy for a spreadsheet, a CSV file. */
export class PanelTools extends LitElement {
  static override properties = {
    figures: { attribute: false },
    table: { attribute: false },
    said: { state: true },
  };
  static override styles = css`
    :host {
      display: inline-flex;
      gap: 4px;
      align-self: center;
    }
    button {
      font: inherit;
      font-size: 12px;
      color: var(--soft);
      background: none;
      border: 1px solid var(--line);
      border-radius: 6px;
      padding: 2px 8px;
      cursor: pointer;
      white-space: nowrap;
    }
    :host([small]) button {
      border-color: transparent;
      padding: 0 4px;
      font-size: 11px;
      color: var(--faint);
    }
    button:hover,
    button[aria-pressed="true"] {
      color: var(--text);
      background: var(--raised);
    }
    button:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: 2px;
    }
  `;
  /** Made when asked for, so that a picture nobody copies costs nothing. */
  declare figures: () => Figures;
  /** Whether the table is shown; `null` where the panel is a table. */
  declare table: boolean | null;
  declare said: string;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    super();
    this.figures = () => ({ name: "", columns: [], rows: [] });
    this.table = null;
    this.said = "";
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  protected override render(): TemplateResult {
    return html`${
        this.table === null
          ? nothing
          : html`<button
              aria-pressed=${this.table}
              title="The figures behind the picture"
              @click=${() => this.dispatchEvent(new Event("table"))}
            >
              table
            </button>`
      }<button title="Copy the figures for a spreadsheet" @click=${this.#copy}>
        ${this.said === "" ? "copy" : this.said}</button
      ><button title="The figures as a CSV file" @click=${() => download(this.figures())}>
        CSV
      </button>`;
  }

  readonly #copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(tabbedOf(this.figures()));
      this.#say("copied");
    } catch {
      // Only pages over TLS or on this machine may write the clipboard.
      this.#say("not allowed here");
    }
  };

  #say(word: string): void {
    this.said = word;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.said = "";
    }, SAID_MS);
  }
}

customElements.define("panel-tools", PanelTools);
