import type { Clock } from "../../engines/clock.ts";
import type { Bins } from "../live/frames.ts";
import { Cell, type CounterName, type DistributionName } from "./cell.ts";
import { floorTo, levels, type Slot } from "./ladder.ts";
import { breakdownPrefix, type Dimension, partKey, type Population } from "./part.ts";
import { GAMMA } from "./sketch.ts";
import type { Traffic } from "./traffic.ts";

/** Points of one line at most, and when nobody says a step about this many at most. */
export const POINTS_MAX = 1_000;
const POINTS_WANTED = 400;
/** Lines of one answer; the smaller ones are left out, which `linesLeftOut` says. */
const LINES_MAX = 64;
/** Steps people read with ease, in units of a level's slot. */
const STEPS = [1, 2, 3, 5, 6, 10, 15, 20, 30, 60] as const;

/** A latency: every point is a distribution. */
export interface DistributionMetric {
  readonly kind: "distribution";
  readonly unit: "ms";
  readonly of: DistributionName;
  readonly help: string;
}

/** A flow: every point is so much a second. */
export interface RateMetric {
  readonly kind: "rate";
  readonly unit: string;
  readonly of: readonly CounterName[];
  readonly help: string;
}

/** A share of one sum in another. */
export interface RatioMetric {
  readonly kind: "ratio";
  readonly unit: "ratio";
  readonly of: readonly CounterName[];
  readonly outOf: readonly CounterName[];
  readonly help: string;
}

export type SeriesMetric = DistributionMetric | RateMetric | RatioMetric;

const JUDGED = ["completed", "failed", "cut"] as const;
const GOODPUT = ["good", "slowTtft", "slowTpot", "slowBoth", "failed", "cut"] as const;

/** Everything `GET /api/v1/series?metric=` can be asked. */
export const seriesMetrics = {
  ttft: latency("ttft", "From the request's start to its first non-empty output."),
  ttfb: latency("ttfb", "From the request's start to the first body byte."),
  tpot: latency("tpot", "(last − first token) / (n − 1) of streamed answers."),
  itl: latency("itl", "Gap between output events per token, weighted by tokens."),
  stall: latency("stall", "Longest gap inside an answer."),
  e2e: latency("e2e", "From the request's start to its last token, completed requests."),
  queue: latency("queue", "From the whole request in hand to its first try at a replica."),
  overhead: latency("overhead", "Time in the proxy before anything was written upstream."),
  started: rate(["started"], "req/s", "Requests that began."),
  requests: rate(
    ["completed", "rejected", "failed", "cut", "cancelled"],
    "req/s",
    "Requests that ended, however they ended.",
  ),
  completed: rate(["completed"], "req/s", "Requests whose whole answer reached the client."),
  rejected: rate(["rejected"], "req/s", "Requests refused before any work."),
  failed: rate(["failed"], "req/s", "Requests that failed before any output."),
  cut: rate(["cut"], "req/s", "Answers that broke off."),
  cancelled: rate(["cancelled"], "req/s", "Requests whose client went away."),
  retries: rate(["retries"], "req/s", "Further tries after a first one that reached nobody."),
  errors: ratio(["failed", "cut"], JUDGED, "Failed or cut, of those completed, failed or cut."),
  goodput: rate(["good"], "req/s", "Completed requests that met both goodput targets."),
  "slow-ttft": rate(["slowTtft"], "req/s", "Completed, but the first token came late."),
  "slow-tpot": rate(["slowTpot"], "req/s", "Completed, but the tokens came slowly."),
  "slow-both": rate(["slowBoth"], "req/s", "Completed, late and slowly."),
  "good-share": ratio(["good"], GOODPUT, "Good, of all judged by the goodput targets."),
  "input-tokens": rate(["inputTokens"], "tok/s", "Prompt tokens, cached ones included."),
  "cached-input-tokens": rate(["cachedInputTokens"], "tok/s", "Prompt tokens out of the cache."),
  "cache-hits": ratio(["cachedInputTokens"], ["inputTokens"], "Cached share of prompt tokens."),
  "output-tokens": rate(["outputTokens"], "tok/s", "Tokens generated, when they came."),
  "reasoning-tokens": rate(["reasoningTokens"], "tok/s", "Tokens spent on reasoning."),
  "in-flight": rate(["inFlightSum"], "requests", "Requests under way, mean over the step."),
} satisfies Record<string, SeriesMetric>;

export type SeriesName = keyof typeof seriesMetrics;

/** What is asked. */
export interface SeriesQuery {
  readonly metric: SeriesName;
  /** One line a label, or one line in all. */
  readonly by: Dimension | "none";
  readonly population: Population;
  readonly windowMs: number;
  /** Length of a point; a whole number of the window's slots, the nice one at or above what is asked. */
  readonly stepMs?: number;
  /** End of the window; now unless said. */
  readonly untilMs?: number;
  /** Distributions with their bins: for heatmaps. */
  readonly bins?: boolean;
}

/** The answer of `GET /api/v1/series`. */
export interface SeriesAnswer {
  readonly metric: SeriesName;
  readonly kind: SeriesMetric["kind"];
  readonly unit: string;
  readonly help: string;
  readonly by: Dimension | "none";
  readonly origin: Population;
  readonly windowMs: number;
  readonly stepMs: number;
  /** Start of the first point, a whole multiple of the step. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** See `SnapshotFrame.gamma`. */
  readonly gamma: number;
  readonly lines: readonly SeriesLine[];
  readonly linesLeftOut: number;
}

/** One line. Its points are equally long and without holes; `null` is a point without data, which is not zero. */
export interface SeriesLine {
  /** Label of the breakdown; empty for the whole. */
  readonly label: string;
  readonly total: PointFigures;
  readonly points: readonly PointFigures[];
}

export interface PointFigures {
  readonly startMs: number;
  /** Samples: values of a distribution, events of a rate, the divisor of a ratio. */
  readonly n: number;
  /** Rate or ratio; the mean of a distribution. */
  readonly value: number | null;
  readonly p50?: number | null;
  readonly p90?: number | null;
  readonly p95?: number | null;
  readonly p99?: number | null;
  readonly bins?: Bins;
}

/** The history of one metric, out of merged slots. */
export function readSeries(traffic: Traffic, clock: Clock, query: SeriesQuery): SeriesAnswer {
  const metric: SeriesMetric = seriesMetrics[query.metric];
  const untilMs = query.untilMs ?? clock.nowMs();
  const spanMs = clock.nowMs() - untilMs + query.windowMs;
  const stepMs = stepFor(query, traffic.ladder.stepMs(spanMs));
  const fromMs = Math.ceil((untilMs - query.windowMs) / stepMs) * stepMs;
  const slots = traffic.ladder
    .slots(spanMs, fromMs)
    .filter((slot) => slot.startMs < untilMs)
    .toSorted((a, b) => a.startMs - b.startMs);
  const labels = labelsOf(slots, query);
  const drawn = labels.map((label) =>
    lineOf(slots, { query, metric, label, stepMs, fromMs, untilMs }),
  );
  const largest = drawn.toSorted((a, b) => b.total.n - a.total.n).slice(0, LINES_MAX);
  return {
    metric: query.metric,
    kind: metric.kind,
    unit: metric.unit,
    help: metric.help,
    by: query.by,
    origin: query.population,
    windowMs: query.windowMs,
    stepMs,
    fromMs,
    untilMs,
    gamma: GAMMA,
    lines: largest,
    linesLeftOut: drawn.length - largest.length,
  };
}

function stepFor({ windowMs, stepMs }: SeriesQuery, slotMs: number): number {
  const atLeastMs = Math.max(stepMs ?? windowMs / POINTS_WANTED, windowMs / POINTS_MAX);
  const units = STEPS.find((step) => step * slotMs >= atLeastMs);
  return slotMs * (units ?? Math.ceil(atLeastMs / slotMs));
}

function labelsOf(slots: readonly Slot[], { by, population }: SeriesQuery): string[] {
  if (by === "none") return [""];
  const prefix = breakdownPrefix(population, by);
  const labels = new Set<string>();
  for (const slot of slots)
    for (const part of slot.cells.keys())
      if (part.startsWith(prefix)) labels.add(part.slice(prefix.length));
  return [...labels].toSorted();
}

interface LinePlan {
  readonly query: SeriesQuery;
  readonly metric: SeriesMetric;
  readonly label: string;
  readonly stepMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

function lineOf(slots: readonly Slot[], plan: LinePlan): SeriesLine {
  const { query, label, stepMs, fromMs, untilMs } = plan;
  const part = partKey({
    population: query.population,
    ...(query.by === "none" ? {} : { [query.by]: label }),
  });
  const whole = new Cell();
  const cells = new Map<number, Cell>();
  for (const slot of slots) {
    const held = slot.cells.get(part);
    if (held === undefined) continue;
    const startMs = floorTo(slot.startMs, stepMs);
    const cell = cells.get(startMs) ?? new Cell();
    cells.set(startMs, cell);
    cell.merge(held);
    whole.merge(held);
  }
  // Before the first slot anybody kept there is no data, and zero would be a claim.
  const bornMs = slots[0]?.startMs ?? Infinity;
  const points: PointFigures[] = [];
  for (let startMs = fromMs; startMs < untilMs; startMs += stepMs) {
    const known = startMs + stepMs > bornMs;
    const lengthMs = Math.min(stepMs, untilMs - startMs);
    points.push(
      figuresOf(known ? (cells.get(startMs) ?? new Cell()) : null, plan, startMs, lengthMs),
    );
  }
  return { label, total: figuresOf(whole, plan, fromMs, untilMs - fromMs), points };
}

function figuresOf(
  cell: Cell | null,
  { metric, query }: LinePlan,
  startMs: number,
  lengthMs: number,
): PointFigures {
  if (cell === null) return { startMs, n: 0, value: null };
  if (metric.kind === "distribution") {
    const sketch = cell.sketch(metric.of);
    return {
      startMs,
      n: sketch.count,
      value: sketch.mean(),
      p50: sketch.quantile(0.5),
      p90: sketch.quantile(0.9),
      p95: sketch.quantile(0.95),
      p99: sketch.quantile(0.99),
      ...(query.bins === true ? { bins: sketch.bins() } : {}),
    };
  }
  const sum = sumOf(cell, metric.of);
  if (metric.kind === "rate") return { startMs, n: sum, value: sum / (lengthMs / 1_000) };
  const n = sumOf(cell, metric.outOf);
  return { startMs, n, value: n === 0 ? null : sum / n };
}

function sumOf(cell: Cell, names: readonly CounterName[]): number {
  return names.reduce((sum, name) => sum + cell.get(name), 0);
}

/** How far back history reaches. */
export const SERIES_WINDOW_MAX_MS = Math.max(
  ...levels.map(({ lengthMs, slotsMax }) => lengthMs * slotsMax),
);

function latency(of: DistributionName, help: string): DistributionMetric {
  return { kind: "distribution", unit: "ms", of, help };
}

function rate(of: readonly CounterName[], unit: string, help: string): RateMetric {
  return { kind: "rate", unit, of, help };
}

function ratio(
  of: readonly CounterName[],
  outOf: readonly CounterName[],
  help: string,
): RatioMetric {
  return { kind: "ratio", unit: "ratio", of, outOf, help };
}
