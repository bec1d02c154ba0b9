import { css, html, LitElement, type PropertyValues, type TemplateResult } from "lit";
import { clock } from "../format.ts";
import {
  BOX_PX_MIN,
  boxOf,
  type Corner,
  type HeatAxis,
  cellsOf,
  countsOf,
  type Plot,
  rgbOf,
  strokeAcross,
  valueAtY,
  yOf,
} from "./heat-plot.ts";

/** One column of the heat map: values with their counts, and the lines drawn over it. */
export interface HeatColumn {
  readonly atMs: number;
  readonly values: Iterable<readonly [value: number, count: number]>;
  readonly lines: Readonly<Record<string, number | null>>;
}

const TTFT_AXIS: HeatAxis = { minMs: 10, maxMs: 60_000, ticks: [10, 100, 1_000, 10_000, 60_000] };
const LEFT = 54;
const BOTTOM = 20;

/** Latency over time on a logarithmic axis: how many requests at which latency, with percentile lines and guide lines on top. */
export class HeatMap extends LitElement {
  static override properties = {
    columns: { attribute: false },
    axis: { attribute: false },
    guides: { attribute: false },
    dimmed: { type: Boolean },
  };
  static override styles = css`
    :host {
      display: block;
      position: relative;
      height: var(--heat-height, 230px);
    }
    .box {
      position: absolute;
      border: 1px solid var(--accent);
      background: color-mix(in oklch, var(--accent) 18%, transparent);
      pointer-events: none;
    }
    canvas {
      cursor: crosshair;
      touch-action: pan-y;
      width: 100%;
      height: 100%;
      display: block;
    }
  `;
  declare columns: readonly HeatColumn[];
  declare axis: HeatAxis;
  /** Values with a line across, ms. */
  declare guides: readonly number[];
  declare dimmed: boolean;
  #from: Corner | null = null;
  /** A column that is shown again is not counted again. */
  readonly #counts = new WeakMap<HeatColumn, Float64Array>();
  readonly #resize = new ResizeObserver(() => {
    this.#draw();
  });

  constructor() {
    super();
    this.columns = [];
    this.axis = TTFT_AXIS;
    this.guides = [];
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
        title="Drag a box around requests to see what they share; with shift, to look closer at the time"
        aria-label=${this.getAttribute("label") ?? "Latency heat map"}
        @pointerdown=${this.#press}
        @pointermove=${this.#drag}
        @pointerup=${this.#release}
        @pointercancel=${this.#release}
      ></canvas>
      <div class="box" hidden></div>`;
  }

  readonly #press = (event: PointerEvent): void => {
    this.#from = { x: event.offsetX, y: event.offsetY };
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
  };

  readonly #drag = (event: PointerEvent): void => {
    if (this.#from === null) return;
    const box = boxOf(this.#from, { x: event.offsetX, y: event.offsetY });
    const element = this.renderRoot.querySelector<HTMLElement>(".box");
    if (element === null) return;
    element.hidden = box.width < BOX_PX_MIN;
    Object.assign(element.style, {
      left: `${box.x}px`,
      top: `${box.y}px`,
      width: `${box.width}px`,
      height: `${box.height}px`,
    });
  };

  /** Tells what was boxed in: moments and latencies, for whoever wants to know what they share. */
  readonly #release = (event: PointerEvent): void => {
    const from = this.#from;
    this.#from = null;
    this.renderRoot.querySelector<HTMLElement>(".box")?.setAttribute("hidden", "");
    if (from === null || event.type === "pointercancel") return;
    const box = boxOf(from, { x: event.offsetX, y: event.offsetY });
    if (box.width < BOX_PX_MIN || this.columns.length === 0) return;
    const plot = this.#plot();
    const detail = {
      fromMs: this.#momentAt(box.x, plot),
      untilMs: this.#momentAt(box.x + box.width, plot),
      lowMs: valueAtY(box.y + box.height, plot),
      highMs: valueAtY(box.y, plot),
    };
    this.dispatchEvent(new CustomEvent(event.shiftKey ? "zoom" : "region", { detail }));
  };

  #momentAt(x: number, { left, width }: Plot): number {
    const first = this.columns[0]?.atMs ?? 0;
    const second = this.columns[1]?.atMs ?? first + 1_000;
    const share = Math.min(1, Math.max(0, (x - left) / width));
    return first + share * this.columns.length * (second - first);
  }

  #plot(): Plot {
    const { clientWidth, clientHeight } = this;
    return {
      left: LEFT,
      width: clientWidth - LEFT,
      height: clientHeight - BOTTOM,
      axis: this.axis,
    };
  }

  protected override updated(_changed: PropertyValues): void {
    this.#draw();
  }

  #draw(): void {
    const canvas = this.renderRoot.querySelector("canvas");
    const pen = canvas?.getContext("2d") ?? null;
    if (canvas === null || pen === null) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    // A wall's larger type is a zoom, for which a canvas needs pixels of its own; older browsers blur there.
    const scale = devicePixelRatio * (this.currentCSSZoom ?? 1);
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
    const plot = this.#plot();
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
    this.#drawGuideWords(pen, plot, { word: color("--soft"), rim: color("--panel") });
  }

  /** One pixel a cell, then scaled up at once: thousands of rectangles would take longer than a frame. */
  #drawCells(pen: CanvasRenderingContext2D, plot: Plot, fill: string): void {
    const counts = this.columns.map((column) => {
      const counted = this.#counts.get(column) ?? countsOf(column.values, plot.axis);
      this.#counts.set(column, counted);
      return counted;
    });
    const cells = cellsOf(counts, rgbOf(fill));
    const small = new OffscreenCanvas(cells.width, cells.height);
    small.getContext("2d")?.putImageData(cells, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, plot.left, 0, plot.width, plot.height);
  }

  #drawAxes(
    pen: CanvasRenderingContext2D,
    plot: Plot,
    color: { text: string; line: string; guide: string },
  ): void {
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    for (const tick of plot.axis.ticks) {
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
    for (const guide of this.guides) {
      pen.strokeStyle = color.guide;
      pen.setLineDash([5, 4]);
      strokeAcross(pen, plot, Math.round(yOf(guide, plot)) + 0.5);
    }
    pen.setLineDash([]);
    this.#drawTimes(pen, plot, color.text);
  }

  /** Over everything else, with a rim of the panel's colour: they must be read where cells and lines are densest. */
  #drawGuideWords(
    pen: CanvasRenderingContext2D,
    plot: Plot,
    color: { word: string; rim: string },
  ): void {
    pen.textAlign = "right";
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeStyle = color.rim;
    pen.fillStyle = color.word;
    for (const guide of this.guides) {
      const word = guide >= 1000 ? `${guide / 1000} s` : `${guide} ms`;
      const [x, y] = [plot.left + plot.width - 4, Math.round(yOf(guide, plot)) - 5];
      pen.strokeText(word, x, y);
      pen.fillText(word, x, y);
    }
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
      const time = clock(this.columns[index]?.atMs ?? 0);
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

customElements.define("heat-map", HeatMap);
