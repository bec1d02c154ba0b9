import { css, html, LitElement, svg, type TemplateResult } from "lit";

const WIDTH = 200;
const HEIGHT = 36;

/** A small line without axes: the shape of the last minutes. Gaps (`null`) stay gaps. */
export class SparkLine extends LitElement {
  static override properties = { values: { attribute: false } };
  static override styles = css`
    :host {
      display: block;
      height: 36px;
      color: var(--accent);
    }
    svg {
      width: 100%;
      height: 100%;
      overflow: visible;
    }
    path.line {
      fill: none;
      stroke: currentColor;
      stroke-width: 1.5;
      vector-effect: non-scaling-stroke;
      stroke-linejoin: round;
    }
    path.area {
      fill: currentColor;
      opacity: 0.12;
    }
  `;
  declare values: readonly (number | null)[];

  constructor() {
    super();
    this.values = [];
  }

  protected override render(): TemplateResult {
    const top = Math.max(1e-9, ...this.values.map((value) => value ?? 0));
    const step = WIDTH / Math.max(1, this.values.length - 1);
    let line = "";
    let area = "";
    let open = false;
    this.values.forEach((value, index) => {
      const x = (index * step).toFixed(1);
      if (value === null) {
        if (open) area += `L${((index - 1) * step).toFixed(1)} ${HEIGHT}Z`;
        open = false;
        return;
      }
      const y = (HEIGHT - 2 - (value / top) * (HEIGHT - 6)).toFixed(1);
      line += `${open ? "L" : "M"}${x} ${y}`;
      area += open ? `L${x} ${y}` : `M${x} ${HEIGHT}L${x} ${y}`;
      open = true;
    });
    if (open) area += `L${WIDTH} ${HEIGHT}Z`;
    return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<path class="area" d=${area}></path><path class="line" d=${line}></path>`}
    </svg>`;
  }
}

customElements.define("spark-line", SparkLine);
