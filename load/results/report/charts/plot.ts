import { escapeXml } from "../xml.ts";
import { linearScale, logScale, type Scale } from "./scale.ts";

/** One measured place in a picture. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  /** Interval of `y`; `null` where there is none. */
  readonly low: number | null;
  readonly high: number | null;
  /** Drawn open: not to be trusted as a steady figure. */
  readonly hollow: boolean;
  /** Shown on hover and read aloud. */
  readonly title: string;
}

export interface Series {
  readonly name: string;
  /** Class of the stylesheet that colours it: `s1` … `s4`. */
  readonly color: "s1" | "s2" | "s3" | "s4";
  readonly thin?: boolean;
  readonly joined: boolean;
  readonly dots: readonly Dot[];
}

/** A horizontal bound, such as an objective. */
export interface Line {
  readonly y: number;
  readonly label: string;
}

export interface Plot {
  readonly title: string;
  /** One sentence for those who do not see the picture. */
  readonly summary: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly xScale: "linear" | "log";
  readonly yScale: "linear" | "log";
  readonly series: readonly Series[];
  readonly lines: readonly Line[];
  readonly format: { x(value: number): string; y(value: number): string };
}

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 76;
const RIGHT = 16;
const TOP = 16;
const BOTTOM = 48;
const DOT_RADIUS = 4;

/** The plot as SVG without script or outside parts; empty text when there is nothing to draw. */
export function drawPlot(plot: Plot): string {
  const dots = plot.series.flatMap((series) => series.dots);
  if (dots.length === 0) return "";
  const xs = dots.map(({ x }) => x);
  const ys = [
    ...dots.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]),
    ...plot.lines.map(({ y }) => y),
  ];
  const width = WIDTH - LEFT - RIGHT;
  const height = HEIGHT - TOP - BOTTOM;
  const x = scaleOf(plot.xScale, xs, width);
  const y = scaleOf(plot.yScale, ys, height);
  const place = {
    x: (value: number) => LEFT + x.at(value),
    y: (value: number) => TOP + height - y.at(value),
  };
  return [
    `<figure><figcaption>${escapeXml(plot.title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(`${plot.title}. ${plot.summary}`)}">`,
    ...axes(plot, { x, y }, place),
    ...plot.lines.map((line) => bound(line, place)),
    ...plot.series.flatMap((series) => drawSeries(series, place)),
    "</svg>",
    legend(plot.series),
    "</figure>",
  ].join("\n");
}

interface Place {
  x(value: number): number;
  y(value: number): number;
}

function scaleOf(kind: "linear" | "log", values: readonly number[], lengthPx: number): Scale {
  const finite = values.filter((value) => Number.isFinite(value));
  const max = Math.max(...finite);
  return kind === "linear"
    ? linearScale(max, lengthPx)
    : logScale(Math.min(...finite), max, lengthPx);
}

function axes(
  plot: Plot,
  scales: { readonly x: Scale; readonly y: Scale },
  place: Place,
): string[] {
  const bottom = HEIGHT - BOTTOM;
  const grid = scales.y.ticks.map((tick) => {
    const at = place.y(tick).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="tick" x="${LEFT - 8}" y="${at}" dy="0.32em" text-anchor="end">${escapeXml(plot.format.y(tick))}</text>`;
  });
  const below = scales.x.ticks.map(
    (tick) =>
      `<text class="tick" x="${place.x(tick).toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${escapeXml(plot.format.x(tick))}</text>`,
  );
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  return [
    ...grid,
    ...below,
    `<text class="label" x="${middle}" y="${HEIGHT - 8}" text-anchor="middle">${escapeXml(plot.xLabel)}</text>`,
    `<text class="label" transform="translate(14 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeXml(plot.yLabel)}</text>`,
  ];
}

/** Named at its left end: at the right one curves climb through it. */
function bound({ y, label }: Line, place: Place): string {
  const at = place.y(y).toFixed(1);
  return `<line class="bound" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="bound" x="${LEFT + 4}" y="${at}" dy="-4">${escapeXml(label)}</text>`;
}

function drawSeries({ dots, color, thin, joined }: Series, place: Place): string[] {
  const sorted = dots.toSorted((a, b) => a.x - b.x);
  const at = (dot: Dot): string => `${place.x(dot.x).toFixed(1)},${place.y(dot.y).toFixed(1)}`;
  const line =
    joined && sorted.length > 1
      ? [
          `<polyline class="line ${color}${thin === true ? " thin" : ""}" points="${sorted.map(at).join(" ")}"/>`,
        ]
      : [];
  const bars = sorted.flatMap(({ x, low, high }) =>
    low === null || high === null || !Number.isFinite(high)
      ? []
      : [
          `<line class="bar ${color}" x1="${place.x(x).toFixed(1)}" x2="${place.x(x).toFixed(1)}" y1="${place.y(low).toFixed(1)}" y2="${place.y(high).toFixed(1)}"/>`,
        ],
  );
  const marks = sorted.map(
    (dot) =>
      `<circle class="dot ${color}${dot.hollow ? " hollow" : ""}" cx="${place.x(dot.x).toFixed(1)}" cy="${place.y(dot.y).toFixed(1)}" r="${thin === true ? DOT_RADIUS - 1 : DOT_RADIUS}"><title>${escapeXml(dot.title)}</title></circle>`,
  );
  return [...line, ...bars, ...marks];
}

function legend(series: readonly Series[]): string {
  const entries = series
    .filter(({ dots }) => dots.length > 0)
    .map(({ name, color }) => `<li class="${color}">${escapeXml(name)}</li>`);
  return `<ul class="legend">${entries.join("")}</ul>`;
}
