import { css, html, LitElement, type PropertyValues, type TemplateResult, unsafeCSS } from "lit";
import UPlot, { type AlignedData, type Options, type Series } from "uplot";
import uplotCss from "uplot/dist/uPlot.min.css?inline";

/** One line of a chart. `color` names a custom property of the theme. */
export interface ChartSeries {
  readonly label: string;
  readonly color: string;
  /** Filled below the line. */
  readonly area?: true;
  readonly dashed?: true;
}

/** Lines over time. The only place that knows uPlot. */
export class TimeChart extends LitElement {
  static override properties = {
    series: { attribute: false },
    data: { attribute: false },
    unit: {},
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
      .uplot {
        font-family: var(--font);
      }
    `,
  ];
  declare series: readonly ChartSeries[];
  /** Times in seconds, then one list of values per series; `null` is a gap. */
  declare data: readonly (readonly (number | null)[])[];
  declare unit: string;
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
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      padding: [8, 4, 0, 0],
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(1e-9, max * 1.15)] } },
      axes: [
        {
          ...axis,
          size: 26,
          grid: { show: false },
          values: (_plot, times) =>
            times.map((time) =>
              new Date(time * 1000).toLocaleTimeString(undefined, { hour12: false }),
            ),
          space: 90,
        },
        { ...axis, size: 46, values: (_plot, values) => values.map((value) => short(value)) },
      ],
      series: [{}, ...this.series.map((one) => line(one, color(one.color)))],
    };
  }
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
