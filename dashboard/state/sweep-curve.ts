import type { LatencySummary, Point, Verdict } from "../../load/results/point.ts";
import type { Objective } from "../../load/sweep/objective.ts";
import type { SweepView } from "../../proxy/synthetic/sweep-view.ts";
import type { Bound, Dot, DotSeries } from "../elements/xy-chart.ts";
import { duration, grouped, significant } from "../format.ts";

/** Held rates are open-loop; levels of so many at once are closed. Warm-up is part of no result. */
const OPEN = new Set(["envelope", "refine", "repeat"]);
const CLOSED = new Set(["minimum", "ladder", "flood"]);

export type CurveMetric = "ttft" | "tpot";

/** Valid points of one shape, by how they were pressed. */
export interface ShapePoints {
  readonly shape: string;
  readonly open: readonly Point[];
  readonly closed: readonly Point[];
}

/** The shapes of a sweep that have points, in the order they were measured. */
export function shapesOf({ finished }: SweepView): readonly ShapePoints[] {
  const points = finished.map(({ point }) => point).filter(({ valid }) => valid);
  const shapes = [...new Set(points.map(({ shape }) => shape))];
  return shapes.map((shape) => {
    const own = points.filter((point) => point.shape === shape);
    return {
      shape,
      open: own.filter(({ stage, mode }) => mode === "open" && OPEN.has(stage)),
      closed: own.filter(({ stage }) => CLOSED.has(stage)),
    };
  });
}

/** Latency over the rate: the median with its interval, and the 95th percentile. */
export function latencySeries(points: readonly Point[], metric: CurveMetric): readonly DotSeries[] {
  const of = (point: Point): LatencySummary => (metric === "ttft" ? point.ttftMs : point.tpotMs);
  const at = (point: Point, y: number, what: string, rest: Partial<Dot> = {}): Dot => ({
    x: point.offeredRatePerSecond ?? point.sentRatePerSecond,
    y,
    hollow: point.saturated,
    title: `${loadOf(point)}: ${metric.toUpperCase()} ${what} ${duration(y)}, n = ${of(point).n}${point.saturated ? ", saturated" : ""}`,
    ...rest,
  });
  const median = points.flatMap((point) => {
    const { p50, low, high } = of(point);
    return p50 === null ? [] : [at(point, p50, "median", { low, high })];
  });
  const tail = points.flatMap((point) => {
    const { p95 } = of(point);
    return p95 === null ? [] : [at(point, p95, "p95")];
  });
  return [
    { name: "median, 95 % interval", color: "--p50", joined: true, dots: median },
    { name: "p95", color: "--p95", joined: true, dots: tail },
  ];
}

/** Output over requests at once, with its interval. */
export function throughputSeries(points: readonly Point[]): readonly DotSeries[] {
  const dots = points.map((point): Dot => {
    const { outputTokensPerSecond: y, outputTokensHalfWidth: half } = point;
    return {
      x: point.concurrency ?? 1,
      y,
      low: half === null ? null : Math.max(0, y - half),
      high: half === null ? null : y + half,
      title: `${loadOf(point)}: ${significant(y)} tok/s, n = ${point.n}`,
    };
  });
  return [{ name: "output tokens, 95 % interval", color: "--synthetic", joined: true, dots }];
}

/** What one user gets against what the card gives: both cannot be had. */
export function paretoSeries({ open, closed }: ShapePoints): readonly DotSeries[] {
  const dots = (points: readonly Point[]): readonly Dot[] =>
    points.flatMap((point) => {
      const { p50 } = point.tpotMs;
      if (p50 === null || p50 === 0) return [];
      const y = point.outputTokensPerSecond;
      const title = `${loadOf(point)}: ${significant(1000 / p50)} tok/s a user, ${significant(y)} tok/s in all`;
      return [{ x: 1000 / p50, y, hollow: point.saturated, title }];
    });
  return [
    { name: "requests at once", color: "--synthetic", joined: false, dots: dots(closed) },
    { name: "requests a second", color: "--accent", joined: false, dots: dots(open) },
  ];
}

/** The objectives that bound a metric, as lines; one of each height. */
export function boundsOf(objectives: readonly Objective[], metric: CurveMetric): readonly Bound[] {
  const bounds = objectives.flatMap(({ text, limits }) =>
    limits
      .filter((limit) => limit.metric === metric)
      .map(({ limitMs }): Bound => ({ y: limitMs, label: spoken(text) })),
  );
  return bounds.filter(({ y }, index) => bounds.findIndex((other) => other.y === y) === index);
}

/** `ttft_p95<=1s` as people say it. */
export function spoken(objective: string): string {
  return objective
    .replaceAll(/ttft|tpot|e2e/g, (metric) => metric.toUpperCase())
    .replaceAll("_", " ")
    .replaceAll("<=", " ≤ ")
    .replaceAll(">=", " ≥ ")
    .replaceAll(/(\d)(ms|s)\b/g, "$1\u202f$2");
}

/** How hard a point pressed. */
export function loadOf({ concurrency, offeredRatePerSecond }: Point): string {
  if (offeredRatePerSecond !== null) return `${significant(offeredRatePerSecond)} req/s`;
  return concurrency === 1 ? "1 at a time" : `${grouped(concurrency)} at once`;
}

/** State as glyph, word and colour. */
export const VERDICTS: Readonly<
  Record<Verdict, readonly [glyph: string, word: string, color: string]>
> = {
  pass: ["●", "met", "--good"],
  fail: ["✕", "missed", "--bad"],
  undecided: ["◐", "undecided", "--warn"],
};
