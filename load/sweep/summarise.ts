import { clientBound, type HealthReading } from "../generator/health.ts";
import type { LatencySummary, ObjectiveVerdict, Point, PointSecond } from "../results/point.ts";
import { average } from "../statistics/batch-means.ts";
import { ascending, percentile, samplesNeeded } from "../statistics/percentile.ts";
import { summariseFirstAnswers, summariseLatency, summariseWeighted } from "./latency-summary.ts";
import type { Objective } from "./objective.ts";
import type { PointTask } from "./plan.ts";
import { courseOf, growsIn, inFlightIn } from "./course.ts";
import type { PointPhases } from "./point-phases.ts";
import { flagsOf, warningsOf } from "./point-flags.ts";
import { type PointRecord, sumBetween } from "./point-record.ts";
import { latencyOf, type Sample } from "./sample.ts";
import { ratesOf } from "./rate-summary.ts";
import { empties, isSaturated, saturationSigns } from "./saturation.ts";
import { tokensOf } from "./token-summary.ts";
import { judge, LOOK_CONFIDENCE, SINGLE_CONFIDENCE } from "./verdict.ts";

/** What a point is made from once it is over. */
export interface PointParts {
  readonly task: PointTask;
  readonly record: PointRecord;
  readonly phases: Pick<
    PointPhases,
    "windowFromMs" | "windowToMs" | "stopReason" | "areaFrom" | "areaTo"
  >;
  /** Verdicts wanted, decided upon or not. */
  readonly objectives: readonly Objective[];
  readonly endedMs: number;
  readonly capped: number;
  readonly reading: HealthReading;
  readonly ceilingEventsPerSecond: number | null;
}

/** Seconds of a point's course that are kept. */
const SERIES_MAX = 600;

/** Sums a point up: latencies over requests planned in the window, throughput by the time things happened in it. */
export function summarise(parts: PointParts): Point {
  const { task, record, phases, reading } = parts;
  const { windowFromMs: from, windowToMs: to } = phases;
  const samples = inWindow(record, from, to);
  const seconds = Math.max(to - from, 1) / 1000;
  const rates = ratesOf(record, from, to);
  const inFlightMean = (phases.areaTo - phases.areaFrom) / (seconds * 1000);
  const ttftMs = latency(samples, (sample) => latencyOf(sample, "ttft"));
  const lag = percentile(ascending(samples.map((sample) => sample.sendLagMs)), 0.99);
  const eventsPerSecond = sumBetween(record.outputEvents, from, to) / seconds;
  const verdicts = judged(parts, samples);
  const signs = saturationOf(parts, samples, { rate: rates.completedRatePerSecond, seconds });
  const staysFull = hasStayedFull(parts, verdicts);
  const bound = clientBound({
    ...reading,
    sendLagP99Ms: lag,
    ttftP50Ms: ttftMs.p50,
    eventsPerSecond,
    ceilingEventsPerSecond: parts.ceilingEventsPerSecond,
  });
  const completed = samples.filter((sample) => sample.kind === "completed");
  const point = {
    ...identityOf(task),
    startedMs: record.startedMs,
    settleMs: from,
    windowMs: to - from,
    drainMs: Math.max(0, parts.endedMs - record.startedMs - to),
    stopReason: phases.stopReason,
    sent: record.sent,
    ...countsOf(samples),
    sentRatePerSecond: sumBetween(record.arrivals, from, to) / seconds,
    ...rates,
    inFlightMean,
    inFlightMax: record.inFlightMax,
    littleError: littleError(inFlightMean, rates.completedRatePerSecond, completed),
    ttftMs,
    serviceTtftMs: latency(samples, serviceTtft),
    ttfotMs: summariseFirstAnswers(samples),
    tpotMs: latency(samples, (sample) => (sample.kind === "completed" ? sample.tpotMs : null)),
    ...gapsOf(samples),
    e2eMs: latency(samples, (sample) => latencyOf(sample, "e2e")),
    stallMs: latency(completed, (sample) => sample.stallMs),
    sendLagP99Ms: lag,
    errorAdjustedE2eMs: errorAdjusted(samples),
    ...tokensOf(completed),
    verdicts,
    saturated: isSaturated(signs) || staysFull || phases.stopReason === "over-saturated",
    saturatedBecause: staysFull ? [...signs, STAYS_FULL] : signs,
    valid: bound === null && completed.length > 0,
    invalidBecause: bound ?? (completed.length > 0 ? null : nothingBecause(samples)),
    generator: { ...reading, sendLagP99Ms: lag, eventsPerSecond },
    series: seriesOf(record),
  };
  const { capped } = parts;
  const flags = flagsOf(point, { capped, clientBound: bound !== null });
  return { ...point, flags, warnings: warningsOf(point, flags) };
}

function judged(
  { task, record, phases, objectives }: PointParts,
  samples: readonly Sample[],
): readonly ObjectiveVerdict[] {
  const course = courseOf(task, record, [phases.windowFromMs, phases.windowToMs]);
  const confidence = task.stop.decide.length > 0 ? LOOK_CONFIDENCE : SINGLE_CONFIDENCE;
  const about = { samples, ...course, confidence, meanGapMs: record.meanGapMs };
  return objectives.map((objective) => judge(objective, about));
}

function inWindow(record: PointRecord, from: number, to: number): readonly Sample[] {
  return record.samples
    .filter((sample) => sample.plannedMs >= from && sample.plannedMs < to)
    .sort((a, b) => a.plannedMs - b.plannedMs);
}

function identityOf({
  pointId,
  shape,
  stage,
  load,
  repeat,
}: PointTask): Pick<
  Point,
  | "pointId"
  | "shape"
  | "stage"
  | "mode"
  | "arrivals"
  | "concurrency"
  | "offeredRatePerSecond"
  | "repeat"
> {
  const open = load.mode === "open";
  return {
    pointId,
    shape,
    stage,
    mode: load.mode,
    arrivals: open ? load.arrivals : "closed",
    concurrency: open ? null : load.concurrency,
    offeredRatePerSecond: open ? load.ratePerSecond : null,
    repeat,
  };
}

function countsOf(
  samples: readonly Sample[],
): Pick<Point, "n" | "completed" | "failed" | "censored" | "outcomes" | "failedBy"> {
  const outcomes: Partial<Record<Sample["outcome"], number>> = {};
  const failedBy: Record<string, number> = {};
  for (const { outcome, code } of samples) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (code !== null) failedBy[code] = (failedBy[code] ?? 0) + 1;
  }
  const count = (kind: Sample["kind"]): number =>
    samples.filter((sample) => sample.kind === kind).length;
  return {
    n: samples.length,
    completed: count("completed"),
    failed: count("failed"),
    censored: count("censored"),
    outcomes,
    failedBy,
  };
}

/** Failed requests have no latency; cut ones sort last. */
function latency(
  samples: readonly Sample[],
  of: (sample: Sample) => number | null,
): LatencySummary {
  const ours = samples.filter((sample) => sample.kind !== "failed");
  return summariseLatency(ours.map(of).filter((value) => value !== null));
}

function serviceTtft(sample: Sample): number {
  return sample.ttftMs === null ? Infinity : sample.ttftMs - sample.sendLagMs;
}

function gapsOf(samples: readonly Sample[]): Pick<Point, "itlMs" | "iclMs"> {
  const perToken: { value: number; weight: number }[] = [];
  const perEvent: { value: number; weight: number }[] = [];
  for (const { gapsMs, outputTokens, outputEvents } of samples) {
    const tokens = outputEvents === 0 ? 1 : (outputTokens ?? outputEvents) / outputEvents;
    for (const gapMs of gapsMs) {
      perToken.push({ value: gapMs / tokens, weight: tokens });
      perEvent.push({ value: gapMs, weight: 1 });
    }
  }
  return { itlMs: summariseWeighted(perToken), iclMs: summariseWeighted(perEvent) };
}

function errorAdjusted(samples: readonly Sample[]): Point["errorAdjustedE2eMs"] {
  const sorted = ascending(samples.map((sample) => latencyOf(sample, "e2e") ?? Infinity));
  const at = (q: number): number | null => {
    const value = sorted.length < samplesNeeded(q) ? null : percentile(sorted, q);
    return value === null || !Number.isFinite(value) ? null : value;
  };
  return { p50: at(0.5), p95: at(0.95) };
}

/** Little's law: a window in balance holds arrival rate × stay. */
function littleError(
  inFlightMean: number,
  ratePerSecond: number,
  completed: readonly Sample[],
): number | null {
  if (completed.length === 0 || inFlightMean === 0) return null;
  const stay = average(completed.map((sample) => sample.e2eMs)) / 1000;
  return Math.abs(inFlightMean - ratePerSecond * stay) / inFlightMean;
}

function saturationOf(
  { task, record, phases }: PointParts,
  samples: readonly Sample[],
  window: { readonly rate: number; readonly seconds: number },
): readonly string[] {
  if (task.load.mode === "closed") return [];
  const { windowFromMs: from, windowToMs: to } = phases;
  const offered = sumBetween(record.arrivals, from, to) / window.seconds;
  return saturationSigns({
    offeredRatePerSecond: offered,
    completedRatePerSecond: window.rate,
    n: samples.length,
    grows: growsIn(record, [from, to], offered),
    ttftMs: samples.map((sample) => latencyOf(sample, "ttft") ?? Infinity),
    censoredShare:
      samples.filter((sample) => sample.kind === "censored").length / Math.max(1, samples.length),
  });
}

const STAYS_FULL =
  "above the highest throughput of a closed loop, the engine began full and did not empty";

/** Whether a rate that began with a full engine, to show that it cannot be held, showed it. */
function hasStayedFull(
  { task, record, phases }: PointParts,
  verdicts: readonly ObjectiveVerdict[],
): boolean {
  if (task.cohort?.fills !== true) return false;
  const isEmptying = empties(inFlightIn(record, [phases.windowFromMs, phases.windowToMs]));
  const isMissed = verdicts.some(({ verdict }) => verdict === "fail");
  return !isEmptying && (verdicts.length === 0 || isMissed);
}

function nothingBecause(samples: readonly Sample[]): string {
  const code = samples.find((sample) => sample.code !== null)?.code;
  return code === undefined ? "no request completed" : `no request completed (${code})`;
}

function seriesOf(record: PointRecord): readonly PointSecond[] {
  const seconds = Math.min(SERIES_MAX, record.inFlightEachSecond.length);
  return Array.from({ length: seconds }, (_, second) => {
    const between = (bins: readonly number[]): number =>
      sumBetween(bins, second * 1000, (second + 1) * 1000);
    return {
      arrivals: between(record.arrivals),
      completions: between(record.completions),
      inFlight: record.inFlightEachSecond[second] ?? 0,
      outputTokens: Math.round(between(record.outputTokens)),
    };
  });
}
