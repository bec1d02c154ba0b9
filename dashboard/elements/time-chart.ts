import { css, html, LitElement, type PropertyValues, type TemplateResult, unsafeCSS } from "lit";
import UPlot, { type AlignedData, type Options, type Series } from "uplot";
import uplotCss from "uplot/dist/uPlot.min.css?inline";
import { clock } from "../format.ts";
import type { Span } from "../state/place.ts";

/** One line of a chart. `color` names a custom property of the theme. */
export interface ChartSeries {
  readonly label: string;
  readonly color: string;
  /** Filled below the line. */
  readonly area?: true;
  readonly dashed?: true;
}

/** Room left of the plot, the same in every picture, so that moments stand below each other. */
const LEFT = 54;
/** A time of day as a label is so wide. */
const LABEL_PX = 52;
/** A shorter drag is a click. */
const DRAG_PX_MIN = 6;

/** Lines over time. Dragging across it tells the span, as `zoom`. The only place that knows uPlot. */
export class TimeChart extends LitElement {
  static override properties = {
    series: { attribute: false },
    data: { attribute: false },
    unit: {},
    span: { attribute: false },
    dimmed: { type: Boolean, reflect: true },
  };
  static override styles = [
    unsafeCSS(uplotCss),
    css`
      :host {
        display: block;
        height: 230px;
        min-width: 0;
      }
      :host([dimmed]) {
        opacity: 0.4;
      }
      .u-select {
        background: color-mix(in oklch, var(--accent) 18%, transparent);
      }
      .uplot {
        font-family: var(--font);
      }
    `,
  ];
  declare series: readonly ChartSeries[];
  /** Times in seconds, then one list of values per series; `null` is a gap. */
  declare data: readonly (readonly (number | null)[])[];
  declare unit: string;
  /** The moments the picture reaches over, so that it agrees with those beside it; `null` is what the data has. */
  declare span: Span | null;
  declare dimmed: boolean;
  #plot: UPlot | null = null;
  #theme = "";
  readonly #resize = new ResizeObserver(() => {
    this.#plot?.setSize({ width: this.clientWidth, height: this.clientHeight });
  });

  constructor() {
    super();
    this.series = [];
    this.data = [];
    this.unit = "";
    this.span = null;
    this.dimmed = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  protected override render(): TemplateResult {
    return html`<div></div>`;
  }

  protected override updated(_changed: PropertyValues): void {
    const theme = document.documentElement.dataset["theme"] ?? "";
    const data = this.data as unknown as AlignedData;
    if (this.#plot !== null && theme === this.#theme) {
      this.#plot.setData(data);
      return;
    }
    this.#plot?.destroy();
    this.#theme = theme;
    const place = this.renderRoot.querySelector("div");
    if (place !== null && this.clientWidth > 0)
      this.#plot = new UPlot(this.#options(), data, place);
  }

  readonly #selected = (plot: UPlot): void => {
    const { left, width } = plot.select;
    if (width < DRAG_PX_MIN) return;
    const fromMs = plot.posToVal(left, "x") * 1_000;
    const untilMs = plot.posToVal(left + width, "x") * 1_000;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.dispatchEvent(new CustomEvent<Span>("zoom", { detail: { fromMs, untilMs } }));
  };

  #options(): Options {
    const style = getComputedStyle(this);
    const color = (name: string): string => style.getPropertyValue(name);
    const axis = {
      stroke: color("--faint"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.clientWidth,
      height: this.clientHeight,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
      hooks: { setSelect: [this.#selected] },
      padding: [8, 0, 0, 0],
      scales: {
        x: {
          range: (_plot, min, max) =>
            this.span === null ? [min, max] : [this.span.fromMs / 1_000, this.span.untilMs / 1_000],
        },
        y: { range: (_plot, _min, max) => [0, Math.max(1e-9, max * 1.15)] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          grid: { show: false },
          values: (plot, times) =>
            times.map((time) =>
              roomBehindPx(plot, time) < LABEL_PX / 2 ? "" : clock(time * 1_000),
            ),
          space: 90,
        },
        { ...axis, size: LEFT, values: (_plot, values) => values.map((value) => short(value)) },
      ],
      series: [{}, ...this.series.map((one) => line(one, color(one.color)))],
    };
  }
}

/** From a time to the right edge, where labels would be cut. */
function roomBehindPx({ scales, width }: UPlot, time: number): number {
  const { min = 0, max = 1 } = scales["x"] ?? {};
  return ((max - time) / Math.max(max - min, 1e-9)) * (width - LEFT);
}

function line({ label, area, dashed }: ChartSeries, stroke: string): Series {
  return {
    label,
    stroke,
    width: 1.75,
    points: { show: false },
    ...(area === true ? { fill: `color-mix(in oklch, ${stroke} 16%, transparent)` } : {}),
    ...(dashed === true ? { dash: [4, 4] } : {}),
  };
}

function short(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  if (value >= 1000) return `${value / 1000}k`;
  return String(value);
}

customElements.define("time-chart", TimeChart);
