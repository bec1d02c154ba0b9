import { css, html, LitElement, nothing, svg, type TemplateResult } from "lit";
import { copyText, download, type Figures, tabbedOf } from "../state/figures.ts";

/** How long a button says that it copied. */
const SAID_MS = 1_500;

const ICONS = {
  table: svg`<path d="M1.5 2.5h11v9h-11zM1.5 5.5h11M5.5 5.5v6"></path>`,
  copy: svg`<path d="M4.5 4.5h8v8h-8zM9.5 4.5v-3h-8v8h3"></path>`,
  CSV: svg`<path d="M7 1.5v7.5M3.5 6 7 9.5 10.500 6M1.500 12.500h11"></path>`,
} as const;

/** What every panel offers of its figures: a table instead of the picture, a copy for a spreadsheet, a CSV file. */
export class PanelTools extends LitElement {
  static override properties = {
    figures: { attribute: false },
    table: { attribute: false },
    small: { type: Boolean, reflect: true },
    said: { state: true },
  };
  static override styles = css`
    :host {
      display: var(--tools, inline-flex);
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
    :host([small]) {
      gap: 0;
    }
    :host([small]) button {
      border-color: transparent;
      padding: 3px 5px;
      line-height: 0;
      color: var(--faint);
    }
    svg {
      width: 13px;
      height: 13px;
      fill: none;
      stroke: currentColor;
      stroke-width: 1.3;
    }
    .said {
      line-height: 1;
      font-size: 11px;
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
  /** In cards and tiles, where words would take the title's room. */
  declare small: boolean;
  declare said: string;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    super();
    this.figures = () => ({ name: "", columns: [], rows: [] });
    this.table = null;
    this.small = false;
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
              aria-label="table"
              title="The figures behind the picture"
              @click=${() => this.dispatchEvent(new Event("table"))}
            >
              ${this.#face("table")}
            </button>`
      }<button
        aria-label=${this.said === "" ? "copy" : this.said}
        title="Copy the figures for a spreadsheet"
        @click=${this.#copy}
      >
        ${this.said === "" ? this.#face("copy") : html`<span class="said">${this.said}</span>`}</button
      ><button
        aria-label="CSV"
        title="The figures as a CSV file"
        @click=${() => download(this.figures())}
      >
        ${this.#face("CSV")}
      </button>`;
  }

  /** A word, or in a small card a picture of it. */
  #face(word: keyof typeof ICONS): TemplateResult | string {
    if (!this.small) return word;
    return html`<svg viewBox="0 0 14 14" aria-hidden="true">${ICONS[word]}</svg>`;
  }

  readonly #copy = async (): Promise<void> => {
    this.#say((await copyText(tabbedOf(this.figures()))) ? "copied" : "not allowed here");
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
