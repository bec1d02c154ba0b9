import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { SAMPLES_FEW } from "../format.ts";

/** Between a figure and its explanation, and between that and the edges of the window. */
const GAP_PX = 6;

/**
 * A number that explains itself: hovering or focusing it shows what it is, over which window, from how many samples, of
 * which traffic; below it, or above where there is no room, and never across an edge of the window. With few samples it is
 * dimmed.
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
      translate: var(--aside, 0);
      box-sizing: border-box;
      width: max-content;
      max-width: min(282px, 100vw - 12px);
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
    [role="tooltip"].above {
      top: auto;
      bottom: calc(100% + 6px);
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
    this.addEventListener("pointerenter", this.#place);
    this.addEventListener("focus", this.#place);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
  }

  readonly #place = (): void => {
    const box = this.renderRoot.querySelector<HTMLElement>("[role=tooltip]");
    if (box === null) return;
    const { left, top, bottom } = this.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const { width, height } = box.getBoundingClientRect();
    const beyond = Math.min(Math.max(0, left + width + GAP_PX - clientWidth), left - GAP_PX);
    box.style.setProperty("--aside", `${-beyond / (this.currentCSSZoom ?? 1)}px`);
    const needed = height + 2 * GAP_PX;
    box.classList.toggle("above", bottom + needed > clientHeight && top > needed);
  };

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
