import { readObjective } from "../../../sweep/objective.ts";
import type { LatencySummary, Point } from "../../point.ts";
import type { ShapeSummary } from "../../summary.ts";
import { figure, loadOf, ms } from "../figures.ts";
import type { Dot, Line, Plot, Series } from "./plot.ts";

const OPEN_STAGES = new Set(["envelope", "refine"]);
const CLOSED_STAGES = new Set(["minimum", "ladder", "flood"]);

/** The pictures of one shape, in the order of the questions people ask. */
export function sweepPlots(shape: ShapeSummary): readonly Plot[] {
  const open = shape.points.filter(({ stage, valid }) => valid && OPEN_STAGES.has(stage));
  const closed = shape.points.filter(({ stage, valid }) => valid && CLOSED_STAGES.has(stage));
  return [
    latencyPlot(
      "Time to first token against rate",
      open,
      (point) => point.ttftMs,
      objectives(shape, "ttft"),
    ),
    latencyPlot(
      "Time per output token against rate",
      open,
      (point) => point.tpotMs,
      objectives(shape, "tpot"),
    ),
    throughputPlot(closed),
    paretoPlot([...closed, ...open]),
  ];
}

function latencyPlot(
  title: string,
  points: readonly Point[],
  of: (point: Point) => LatencySummary,
  lines: readonly Line[],
): Plot {
  const series = (
    name: string,
    color: Series["color"],
    dotOf: (point: Point) => Dot | null,
  ): Series => ({
    name,
    color,
    joined: true,
    thin: color === "s2",
    dots: points.map(dotOf).filter((dot) => dot !== null),
  });
  const p50 = series("median, 95 % interval", "s1", (point) => {
    const latency = of(point);
    return dot(point, latency.p50, { low: latency.low, high: latency.high, what: "p50" });
  });
  const p95 = series("p95", "s2", (point) => {
    const latency = of(point);
    return dot(point, latency.p95, { low: null, high: null, what: "p95" });
  });
  return {
    title,
    summary: `${points.length} rates, hollow where the engine was saturated.`,
    xLabel: "requests a second, one replica",
    yLabel: "latency, logarithmic",
    xScale: "linear",
    yScale: "log",
    series: [p50, p95],
    lines,
    format: { x: plain, y: ms },
  };
}

function dot(
  point: Point,
  y: number | null,
  {
    low,
    high,
    what,
  }: { readonly low: number | null; readonly high: number | null; readonly what: string },
): Dot | null {
  if (y === null) return null;
  const title = `${loadOf(point)}: ${what} ${ms(y)}${low === null ? "" : ` (${ms(low)} to ${ms(high)})`}, ${point.n} requests`;
  return { x: point.offeredRatePerSecond ?? 0, y, low, high, hollow: point.saturated, title };
}

function throughputPlot(points: readonly Point[]): Plot {
  const dots = points.map((point): Dot => {
    const { outputTokensPerSecond: y, outputTokensHalfWidth: half } = point;
    return {
      x: point.concurrency ?? 1,
      y,
      low: half === null ? null : y - half,
      high: half === null ? null : y + half,
      hollow: false,
      title: `${loadOf(point)}: ${figure(y)} tok/s, ${point.n} requests`,
    };
  });
  return {
    title: "Throughput against concurrency",
    summary: `${points.length} levels, from one request at a time to the flood.`,
    xLabel: "requests at once",
    yLabel: "output tokens a second",
    xScale: "log",
    yScale: "linear",
    series: [{ name: "output tokens, 95 % interval", color: "s3", joined: true, dots }],
    lines: [],
    format: { x: plain, y: plain },
  };
}

/** What a user gets against what the card gives: both cannot be had. */
function paretoPlot(points: readonly Point[]): Plot {
  const dots = points.flatMap((point): Dot[] => {
    const tpot = point.tpotMs.p50;
    if (tpot === null || tpot === 0) return [];
    const perUser = 1000 / tpot;
    const title = `${loadOf(point)}: ${figure(perUser)} tok/s a user, ${figure(point.outputTokensPerSecond)} tok/s in all`;
    return [
      {
        x: perUser,
        y: point.outputTokensPerSecond,
        low: null,
        high: null,
        hollow: point.saturated,
        title,
      },
    ];
  });
  return {
    title: "Throughput against speed of one user",
    summary: "Further right is faster for each user, further up more for all.",
    xLabel: "tokens a second, one user (1 / median TPOT)",
    yLabel: "output tokens a second",
    xScale: "linear",
    yScale: "linear",
    series: [{ name: "load levels", color: "s4", joined: false, dots }],
    lines: [],
    format: { x: plain, y: plain },
  };
}

function objectives(shape: ShapeSummary, metric: string): readonly Line[] {
  const bounds = shape.capacities.flatMap(({ objective }) =>
    readObjective(objective)
      .limits.filter((limit) => limit.metric === metric)
      .map(({ limitMs }): Line => ({ y: limitMs, label: objective })),
  );
  return bounds.filter(({ y }, index) => bounds.findIndex((other) => other.y === y) === index);
}

function plain(value: number): string {
  return value >= 10_000
    ? `${Number((value / 1000).toFixed(1))}k`
    : String(Number(value.toPrecision(3)));
}
