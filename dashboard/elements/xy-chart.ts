import {
  css,
  html,
  LitElement,
  nothing,
  svg,
  type SVGTemplateResult,
  type TemplateResult,
} from "lit";
import { significant } from "../format.ts";
import { type AxisScale, axisScale, type ScaleKind } from "./axis-scale.ts";

/** One measured place. `low` and `high` bound `y`; `hollow` is not to be read as a steady figure. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  readonly low?: number | null;
  readonly high?: number | null;
  readonly hollow?: boolean;
  /** Said on hover and focus. */
  readonly title: string;
}

/** Dots of one meaning. `color` names a custom property of the theme. */
export interface DotSeries {
  readonly name: string;
  readonly color: string;
  readonly joined: boolean;
  readonly dots: readonly Dot[];
  /** Drawn larger, on top, with its name: where the reader is. */
  readonly isHere?: boolean;
}

export interface Axis {
  readonly label: string;
  readonly scale: ScaleKind;
}

/** A horizontal bound, such as an objective. */
export interface Bound {
  readonly y: number;
  readonly label: string;
}

const LEFT = 54;
const RIGHT = 14;
const TOP = 14;
const BOTTOM = 38;
const DOT_RADIUS = 4;
const HERE_RADIUS = 7;

interface Plot {
  readonly width: number;
  readonly height: number;
  readonly x: AxisScale;
  readonly y: AxisScale;
  across(value: number): number;
  down(value: number): number;
}

/** Measured places in two dimensions, with their intervals and the bounds they are held against. */
export class XyChart extends LitElement {
  static override properties = {
    series: { attribute: false },
    bounds: { attribute: false },
    xAxis: { attribute: false },
    yAxis: { attribute: false },
    label: {},
    size: { state: true },
  };
  static override styles = css`
    :host {
      display: block;
      min-width: 0;
    }
    .plot {
      height: 230px;
    }
    p {
      margin: 0;
      height: 100%;
      display: grid;
      place-items: center;
      color: var(--faint);
      font-size: 13px;
    }
    svg {
      display: block;
      overflow: visible;
    }
    text {
      fill: var(--faint);
      font: 11px var(--font);
    }
    .grid {
      stroke: var(--line);
    }
    .bound {
      stroke: var(--bad);
      stroke-dasharray: 5 4;
    }
    text.bound {
      fill: var(--bad);
      stroke: none;
    }
    polyline {
      fill: none;
      stroke: currentColor;
      stroke-width: 1.75;
    }
    .interval {
      stroke: currentColor;
      stroke-width: 2;
      opacity: 0.4;
    }
    circle {
      fill: currentColor;
      stroke: currentColor;
      stroke-width: 1.5;
    }
    circle.hollow {
      fill: var(--panel);
    }
    circle.here {
      stroke: var(--panel);
      stroke-width: 2.5;
    }
    circle.here.hollow {
      stroke: currentColor;
    }
    text.here {
      fill: currentColor;
      font-weight: 600;
    }
    ul {
      display: flex;
      flex-wrap: wrap;
      gap: 4px 14px;
      margin: 6px 0 0;
      padding: 0;
      list-style: none;
      font-size: 12px;
    }
    li span {
      color: var(--soft);
    }
  `;
  declare series: readonly DotSeries[];
  declare bounds: readonly Bound[];
  declare xAxis: Axis;
  declare yAxis: Axis;
  declare label: string;
  declare size: { readonly width: number; readonly height: number };
  readonly #resize = new ResizeObserver(([entry]) => {
    if (entry === undefined) return;
    const { width, height } = entry.contentRect;
    this.size = { width: Math.floor(width), height: Math.floor(height) };
  });

  constructor() {
    super();
    this.series = [];
    this.bounds = [];
    this.xAxis = { label: "", scale: "linear" };
    this.yAxis = { label: "", scale: "linear" };
    this.label = "";
    this.size = { width: 0, height: 0 };
  }

  protected override firstUpdated(): void {
    const plot = this.renderRoot.querySelector(".plot");
    if (plot !== null) this.#resize.observe(plot);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  protected override render(): TemplateResult {
    const { width, height } = this.size;
    const shown = this.series.filter(({ dots }) => dots.length > 0);
    return html`<div class="plot">
        ${
          shown.length === 0
            ? html`<p>No point to draw yet.</p>`
            : width === 0
              ? nothing
              : html`<svg width=${width} height=${height} role="img" aria-label=${this.label}>
                  ${this.#draw(shown, width, height)}
                </svg>`
        }
      </div>
      <ul aria-hidden="true">
        ${shown.map(
          ({ name, color }) => html`<li style="color: var(${color})">● <span>${name}</span></li>`,
        )}
      </ul>`;
  }

  #draw(series: readonly DotSeries[], width: number, height: number): SVGTemplateResult {
    const plot = plotOf(series, this.bounds, { x: this.xAxis, y: this.yAxis }, { width, height });
    const bottom = height - BOTTOM;
    return svg`
      ${plot.y.ticks.map((tick) => {
        const y = plot.down(tick);
        return svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y} y2=${y}></line>
          <text x=${LEFT - 8} y=${y} dy="0.32em" text-anchor="end">${short(tick)}</text>`;
      })}
      ${spaced(plot).map(
        (tick) =>
          svg`<text x=${plot.across(tick)} y=${bottom + 15} text-anchor="middle">${short(tick)}</text>`,
      )}
      <text x=${(LEFT + width - RIGHT) / 2} y=${height - 4} text-anchor="middle">${this.xAxis.label}</text>
      <text transform="translate(10 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${this.yAxis.label}</text>
      ${this.bounds.map(({ y, label }) => {
        const at = plot.down(y);
        return svg`<line class="bound" x1=${LEFT} x2=${width - RIGHT} y1=${at} y2=${at}></line>
          <text class="bound" x=${width - RIGHT} y=${at - 4} text-anchor="end">${label}</text>`;
      })}
      ${series.map((one) => drawSeries(one, plot))}`;
  }
}

function plotOf(
  series: readonly DotSeries[],
  bounds: readonly Bound[],
  axes: { readonly x: Axis; readonly y: Axis },
  { width, height }: { readonly width: number; readonly height: number },
): Plot {
  const dots = series.flatMap((one) => one.dots);
  const x = axisScale(
    axes.x.scale,
    dots.map((dot) => dot.x),
  );
  const y = axisScale(axes.y.scale, [
    ...dots.flatMap((dot) => [dot.y, dot.low ?? dot.y, dot.high ?? dot.y]),
    ...bounds.map((bound) => bound.y),
  ]);
  return {
    width,
    height,
    x,
    y,
    across: (value) => LEFT + x.at(value) * (width - LEFT - RIGHT),
    down: (value) => height - BOTTOM - y.at(value) * (height - BOTTOM - TOP),
  };
}

function drawSeries(series: DotSeries, plot: Plot): SVGTemplateResult {
  const { color, joined, isHere, name } = series;
  const dots = series.dots.toSorted((a, b) => a.x - b.x);
  const last = dots.at(-1);
  return svg`<g style="color: var(${color})">
    ${joined ? svg`<polyline points=${dots.map(({ x, y }) => `${plot.across(x)},${plot.down(y)}`).join(" ")}></polyline>` : nothing}
    ${dots.map((dot) => drawDot(dot, plot, isHere === true))}
    ${isHere === true && last !== undefined ? drawName(name, last, plot) : nothing}
  </g>`;
}

function drawDot(
  { x, y, low, high, hollow, title }: Dot,
  plot: Plot,
  isHere: boolean,
): SVGTemplateResult {
  const at = plot.across(x);
  const hasInterval = typeof low === "number" && typeof high === "number";
  return svg`
    ${hasInterval ? svg`<line class="interval" x1=${at} x2=${at} y1=${plot.down(low)} y2=${plot.down(high)}></line>` : nothing}
    <circle class="${hollow === true ? "hollow" : ""} ${isHere ? "here" : ""}" cx=${at} cy=${plot.down(y)}
      r=${isHere ? HERE_RADIUS : DOT_RADIUS}><title>${title}</title></circle>`;
}

/** On the side of its dot where there is room. */
function drawName(name: string, { x, y }: Dot, plot: Plot): SVGTemplateResult {
  const at = plot.across(x);
  const isRight = at > plot.width * 0.6;
  return svg`<text class="here" x=${isRight ? at - 12 : at + 12} y=${plot.down(y)} dy="0.32em"
    text-anchor=${isRight ? "end" : "start"}>${name}</text>`;
}

/** Labels that have room beside each other. */
function spaced(plot: Plot): readonly number[] {
  const every = Math.ceil((plot.x.ticks.length * 42) / Math.max(plot.width - LEFT - RIGHT, 1));
  return plot.x.ticks.filter((_, index) => index % every === 0);
}

function short(value: number): string {
  if (value >= 10_000) return `${Number((value / 1000).toPrecision(3))}k`;
  return value >= 100 ? significant(value) : String(Number(value.toPrecision(3)));
}

customElements.define("xy-chart", XyChart);
