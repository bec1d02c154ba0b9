import { css, html, LitElement, type PropertyValues, type TemplateResult } from "lit";

/** One column of the heat map: values with their counts, and the lines drawn over it. */
export interface HeatColumn {
  readonly atMs: number;
  readonly values: Iterable<readonly [value: number, count: number]>;
  readonly lines: Readonly<Record<string, number | null>>;
}

const MIN_MS = 10;
const MAX_MS = 60_000;
const ROWS = 44;
const LEFT = 46;
const BOTTOM = 20;
const TICKS = [10, 100, 1_000, 10_000, 60_000];
/** The two promises the field talks about. */
const GUIDES = [300, 1_000];

/** Latency over time on a logarithmic axis: how many requests at which latency, with percentile lines and guide lines on top. */
export class HeatMap extends LitElement {
  static override properties = { columns: { attribute: false }, dimmed: { type: Boolean } };
  static override styles = css`
    :host {
      display: block;
      height: 230px;
    }
    canvas {
      width: 100%;
      height: 100%;
      display: block;
    }
  `;
  declare columns: readonly HeatColumn[];
  declare dimmed: boolean;
  readonly #resize = new ResizeObserver(() => {
    this.#draw();
  });

  constructor() {
    super();
    this.columns = [];
    this.dimmed = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resize.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resize.disconnect();
  }

  protected override render(): TemplateResult {
    return html`<canvas
      role="img"
      aria-label=${this.getAttribute("label") ?? "Latency heat map"}
    ></canvas>`;
  }

  protected override updated(_changed: PropertyValues): void {
    this.#draw();
  }

  #draw(): void {
    const canvas = this.renderRoot.querySelector("canvas");
    const pen = canvas?.getContext("2d") ?? null;
    if (canvas === null || pen === null) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    if (
      canvas.width !== Math.round(width * scale) ||
      canvas.height !== Math.round(height * scale)
    ) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.globalAlpha = this.dimmed ? 0.4 : 1;
    const style = getComputedStyle(this);
    const color = (name: string): string => style.getPropertyValue(name);
    const plot = { left: LEFT, width: width - LEFT, height: height - BOTTOM };
    this.#drawCells(pen, plot, color("--real"));
    this.#drawAxes(pen, plot, {
      text: color("--faint"),
      line: color("--line"),
      guide: color("--soft"),
    });
    for (const [name, stroke] of [
      ["p50", color("--p50")],
      ["p95", color("--p95")],
    ] as const) {
      this.#drawLine(pen, plot, name, stroke);
    }
  }

  #drawCells(pen: CanvasRenderingContext2D, plot: Plot, fill: string): void {
    const cellWidth = plot.width / Math.max(1, this.columns.length);
    const rows = this.columns.map((column) => {
      const counts = new Float64Array(ROWS);
      for (const [value, count] of column.values)
        counts[rowOf(value)] = (counts[rowOf(value)] ?? 0) + count;
      return counts;
    });
    const most = Math.max(1, ...rows.map((counts) => Math.max(...counts)));
    const rowHeight = plot.height / ROWS;
    pen.fillStyle = fill;
    const base = pen.globalAlpha;
    rows.forEach((counts, column) => {
      counts.forEach((count, row) => {
        if (count === 0) return;
        pen.globalAlpha = base * (0.18 + 0.72 * Math.sqrt(count / most));
        pen.fillRect(
          plot.left + column * cellWidth,
          plot.height - (row + 1) * rowHeight,
          Math.max(1, cellWidth - 0.5),
          rowHeight - 0.5,
        );
      });
    });
    pen.globalAlpha = base;
  }

  #drawAxes(
    pen: CanvasRenderingContext2D,
    plot: Plot,
    color: { text: string; line: string; guide: string },
  ): void {
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    for (const tick of TICKS) {
      const y = Math.round(yOf(tick, plot)) + 0.5;
      pen.strokeStyle = color.line;
      pen.setLineDash([]);
      strokeAcross(pen, plot, y);
      pen.fillStyle = color.text;
      pen.textAlign = "right";
      pen.fillText(
        tick >= 1000 ? `${tick / 1000} s` : `${tick} ms`,
        plot.left - 8,
        Math.max(9, y + 4),
      );
    }
    for (const guide of GUIDES) {
      const y = Math.round(yOf(guide, plot)) + 0.5;
      pen.strokeStyle = color.guide;
      pen.setLineDash([5, 4]);
      strokeAcross(pen, plot, y);
      pen.fillStyle = color.guide;
      pen.textAlign = "right";
      pen.fillText(guide >= 1000 ? "1 s" : "300 ms", plot.left + plot.width - 4, y - 5);
    }
    pen.setLineDash([]);
    this.#drawTimes(pen, plot, color.text);
  }

  #drawTimes(pen: CanvasRenderingContext2D, plot: Plot, text: string): void {
    const count = this.columns.length;
    if (count === 0) return;
    pen.fillStyle = text;
    const labels = Math.max(2, Math.min(6, Math.floor(plot.width / 130)));
    for (let label = 0; label < labels; label++) {
      const index = Math.round((label * (count - 1)) / (labels - 1));
      const x = plot.left + (index * plot.width) / Math.max(1, count - 1);
      pen.textAlign = label === 0 ? "left" : label === labels - 1 ? "right" : "center";
      const time = new Date(this.columns[index]?.atMs ?? 0).toLocaleTimeString(undefined, {
        hour12: false,
      });
      pen.fillText(time, x, plot.height + 15);
    }
  }

  #drawLine(pen: CanvasRenderingContext2D, plot: Plot, name: string, stroke: string): void {
    const cellWidth = plot.width / Math.max(1, this.columns.length);
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.75;
    pen.beginPath();
    let open = false;
    this.columns.forEach((column, index) => {
      const value = column.lines[name] ?? null;
      if (value === null) {
        open = false;
        return;
      }
      const x = plot.left + (index + 0.5) * cellWidth;
      if (open) pen.lineTo(x, yOf(value, plot));
      else pen.moveTo(x, yOf(value, plot));
      open = true;
    });
    pen.stroke();
  }
}

interface Plot {
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

function strokeAcross(pen: CanvasRenderingContext2D, plot: Plot, y: number): void {
  pen.beginPath();
  pen.moveTo(plot.left, y);
  pen.lineTo(plot.left + plot.width, y);
  pen.stroke();
}

/** Position of a value on the logarithmic axis, 0 … 1. */
function position(value: number): number {
  const clamped = Math.min(MAX_MS, Math.max(MIN_MS, value));
  return Math.log(clamped / MIN_MS) / Math.log(MAX_MS / MIN_MS);
}

function rowOf(value: number): number {
  return Math.min(ROWS - 1, Math.floor(position(value) * ROWS));
}

function yOf(value: number, plot: Plot): number {
  return plot.height * (1 - position(value));
}

customElements.define("heat-map", HeatMap);
