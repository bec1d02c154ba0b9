import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { SAMPLES_FEW } from "../format.ts";

/**
 * A number that explains itself: hovering or focusing it shows what it is, over which window, from how many samples, of
 * which traffic. With few samples it is dimmed.
 */
export class FigureValue extends LitElement {
  static override properties = {
    text: {},
    unit: {},
    explains: {},
    n: { type: Number },
    percentile: { type: Boolean },
  };
  static override styles = css`
    :host {
      position: relative;
      display: inline-block;
      cursor: help;
      outline: none;
      border-radius: 4px;
    }
    :host(:focus-visible) {
      outline: 2px solid var(--accent);
      outline-offset: 2px;
    }
    .few {
      color: var(--faint);
      font-style: italic;
    }
    .unit {
      color: var(--faint);
      font-size: 0.5em;
      font-weight: 500;
      margin-left: 0.35em;
    }
    [role="tooltip"] {
      display: none;
      position: absolute;
      z-index: 10;
      top: calc(100% + 6px);
      left: 0;
      width: max-content;
      max-width: 260px;
      padding: 8px 10px;
      border-radius: 8px;
      background: var(--raised);
      border: 1px solid var(--line);
      color: var(--soft);
      font: 400 12px/1.4 var(--font);
      text-align: left;
      white-space: normal;
      box-shadow: 0 6px 20px oklch(0 0 0 / 0.25);
    }
    :host(:hover) [role="tooltip"],
    :host(:focus) [role="tooltip"] {
      display: block;
    }
  `;
  declare text: string;
  declare unit: string;
  declare explains: string;
  declare n: number | undefined;
  declare percentile: boolean;

  constructor() {
    super();
    this.text = "";
    this.unit = "";
    this.explains = "";
    this.n = undefined;
    this.percentile = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
  }

  protected override render(): TemplateResult {
    const few = this.percentile && this.n !== undefined && this.n < SAMPLES_FEW;
    const unit = this.unit === "" ? nothing : html`<span class="unit">${this.unit}</span>`;
    const samples =
      this.n === undefined ? "" : ` n = ${this.n}.${few ? " Few samples: read with care." : ""}`;
    return html`<span class=${few ? "few" : ""}>${this.text}</span>${unit}<span role="tooltip"
        >${this.explains}${samples}</span
      >`;
  }
}

customElements.define("figure-value", FigureValue);
