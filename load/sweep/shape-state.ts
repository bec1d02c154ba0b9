import type { Point } from "../results/point.ts";
import type { Workload } from "../prompts/workload.ts";
import type { Cohort } from "./cohort.ts";
import type { Load, PointTask, StopRule, SweepPlan } from "./plan.ts";

/** Where the sweep of one workload stands: its plan and the points it has, nothing else. Every step is decided from it. */
export interface ShapeState {
  readonly plan: SweepPlan;
  readonly workload: Workload;
  /** Finished points of this workload, in order. */
  readonly points: readonly Point[];
}

/** One request alone. */
export interface Alone {
  readonly ttftMs: number;
  readonly e2eMs: number;
  readonly ratePerSecond: number;
}

/** How fast the engine answers a single user; `null` before that was measured. */
export function aloneOf({ points }: ShapeState): Alone | null {
  const point = points.find(({ stage }) => stage === "minimum");
  if (point === undefined || point.completed === 0) return null;
  // A mean is there whatever the sample; the median only above its floor.
  const e2eMs = point.e2eMs.p50 ?? point.e2eMs.mean ?? 0;
  const ttftMs = point.ttftMs.p50 ?? point.ttftMs.mean ?? 0;
  return { ttftMs, e2eMs, ratePerSecond: e2eMs === 0 ? 0 : 1000 / e2eMs };
}

/** Highest throughput over closed-loop levels, where it was reached, in requests per second. */
export function mostOf(
  state: ShapeState,
): { readonly ratePerSecond: number; readonly concurrency: number } | null {
  let most: { ratePerSecond: number; concurrency: number } | null = null;
  for (const point of levelsOf(state)) {
    const ratePerSecond = throughputOf(point);
    if (ratePerSecond <= (most?.ratePerSecond ?? 0)) continue;
    most = { ratePerSecond, concurrency: point.concurrency ?? 1 };
  }
  return most;
}

/** Closed-loop levels by concurrency, the lone request first. */
export function levelsOf({ points }: ShapeState): readonly Point[] {
  return points.filter(isLevel).sort((a, b) => (a.concurrency ?? 0) - (b.concurrency ?? 0));
}

export function isLevel({ stage }: Pick<Point, "stage">): boolean {
  return stage === "minimum" || stage === "ladder" || stage === "flood";
}

/**
 * Requests per second. Users of a closed loop who began together stay a convoy for a while, which prefills together and
 * decodes together: what a window of a stay or two counts depends on where it cuts them, by a quarter either way. Their
 * number over their mean stay (Little's law) does not. Where some were cut, by tokens, which come all the time.
 */
export function throughputOf(point: Point): number {
  const stayMs = point.e2eMs.mean ?? 0;
  if (point.mode === "closed" && point.failed === 0 && stayMs > 0) {
    return (point.inFlightMean * 1000) / stayMs;
  }
  const tokens = point.outputTokens.mean ?? 0;
  return tokens > 1 ? point.outputTokensPerSecond / tokens : point.completedRatePerSecond;
}

/** A level must bring this much more throughput than the one before, or the engine is full. */
const GAIN_MIN = 1.05;

export function gains(before: Point, after: Point): boolean {
  return throughputOf(after) >= GAIN_MIN * throughputOf(before);
}

/** How long a request stays at a rate: as long as at the smallest closed-loop level that brings as much. */
export function stayMsAt(state: ShapeState, ratePerSecond: number): number {
  const levels = levelsOf(state).filter(({ e2eMs }) => e2eMs.mean !== null);
  const level = levels.find((point) => throughputOf(point) >= ratePerSecond) ?? levels.at(-1);
  return level?.e2eMs.mean ?? aloneOf(state)?.e2eMs ?? 0;
}

/** Time all finished points took. */
export function spentMs(points: readonly Point[]): number {
  return points.reduce((sum, point) => sum + point.settleMs + point.windowMs + point.drainMs, 0);
}

/** True once no new point may begin. */
export function isOverBudget({ plan, points }: ShapeState): boolean {
  return spentMs(points) >= plan.preset.budgetMs;
}

export function hasPoint({ points }: ShapeState, pointId: string): boolean {
  return points.some((point) => point.pointId === pointId);
}

/** Settling takes at least so long, and two requests' stay; a level of a minute-long sweep less. */
const SETTLE_MS_MIN = 5_000;
const SETTLE_STAYS = 2;
const SETTLE_SHARE_MAX = 1 / 3;
/** More than this many times the best concurrency at once, and an open loop is over-saturated. */
const IN_FLIGHT_FACTOR = 4;
const IN_FLIGHT_MIN = 64;
const PRECISION = 0.05;
/**
 * Just above what an engine carries it takes minutes to fill, and until then looks like one that never will. A rate this
 * close to the highest throughput of a closed loop passes only in a window so many stays long.
 */
const NEAR_TOP = 0.98;
const PASS_STAYS = 20;

/** A task of this workload; its rule is filled in from the preset but for what `stop` says. */
export function taskOf(
  state: ShapeState,
  about: Pick<PointTask, "stage" | "load"> & {
    readonly stop: Pick<StopRule, "windowMsMin" | "windowMsMax" | "requests"> & Partial<StopRule>;
    readonly repeat?: number;
    readonly name?: string;
  },
): PointTask {
  const { stage, load, stop, repeat = 0 } = about;
  const { workload } = state;
  const aloneMs = aloneOf(state)?.e2eMs ?? 0;
  const settleMs = Math.max(SETTLE_STAYS * aloneMs, SETTLE_MS_MIN);
  const suffix = repeat === 0 ? "" : `#${repeat + 1}`;
  return {
    pointId: about.name ?? `${workload.name}/${stage}-${loadName(load)}${suffix}`,
    shape: workload.name,
    stage,
    load,
    repeat,
    cohort: load.mode === "open" ? cohortAt(state, load.ratePerSecond) : null,
    stop: {
      settleMsMin: Math.min(settleMs, stop.windowMsMax * SETTLE_SHARE_MAX),
      precision: PRECISION,
      decide: [],
      untilStable: false,
      passStays: isNearTop(state, load) ? PASS_STAYS : 0,
      inFlightMax: Math.max(IN_FLIGHT_MIN, IN_FLIGHT_FACTOR * (mostOf(state)?.concurrency ?? 0)),
      ...stop,
    },
  };
}

/** Fewer under way are there by themselves before the window opens. */
const COHORT_MIN = 8;
/**
 * At most as many as made the highest throughput; clearly above it as many as the ladder has held, and half as many again
 * where those still gained. An engine that is to be shown full has to be full, one that may yet carry the rate must not
 * be buried.
 */
const CLEARLY_ABOVE = 1.02;
const BEYOND_LADDER = 1.5;

/**
 * Requests under way at a rate for good, by Little's law: the stay grows in a line from one closed-loop level to the next,
 * or as it did between the two below, whichever makes fewer: to begin with too few only takes longer.
 */
export function cohortAt(state: ShapeState, ratePerSecond: number): Cohort | null {
  const levels = levelsOf(state).filter((point) => throughputOf(point) > 0);
  const found = levels.findIndex((point) => throughputOf(point) >= ratePerSecond);
  const above = found === -1 ? levels.length : found;
  if (above === 0) return null;
  const pairs = [levels.slice(above - 1, above + 1), levels.slice(Math.max(0, above - 2), above)];
  const guesses = pairs.map(([low, high]) => meeting(low, high, ratePerSecond));
  const most = mostOf(state);
  const isAbove = ratePerSecond > CLEARLY_ABOVE * (most?.ratePerSecond ?? 0);
  const [before, last] = [levels.at(-2), levels.at(-1)];
  const isFull = before !== undefined && last !== undefined && !gains(before, last);
  const highest = (isFull ? 1 : BEYOND_LADDER) * (last?.concurrency ?? 0);
  const count = Math.floor(Math.min(isAbove ? highest : (most?.concurrency ?? 0), ...guesses));
  return count < COHORT_MIN ? null : { count, stayMs: (count * 1000) / ratePerSecond };
}

/** Where the line of stays through two levels meets the rate; `Infinity` where it never does. */
function meeting(low: Point | undefined, high: Point | undefined, ratePerSecond: number): number {
  if (low === undefined || high === undefined) return Infinity;
  const [fewer, more] = [low.concurrency ?? 0, high.concurrency ?? 0];
  const [short, long] = [fewer / throughputOf(low), more / throughputOf(high)];
  const slope = (long - short) / (more - fewer);
  const part = 1 - ratePerSecond * slope;
  const count = (ratePerSecond * (short - slope * fewer)) / part;
  return part > 0 && count > 0 ? count : Infinity;
}

function isNearTop(state: ShapeState, load: Load): boolean {
  const top = mostOf(state)?.ratePerSecond;
  return load.mode === "open" && top !== undefined && load.ratePerSecond > NEAR_TOP * top;
}

/** `c8`, `r6.41`. */
export function loadName(load: Load): string {
  return load.mode === "closed" ? `c${load.concurrency}` : `r${rounded(load.ratePerSecond)}`;
}

/** Four digits: enough to tell levels apart, few enough to read, and the same on every machine. */
export function rounded(ratePerSecond: number): number {
  return Number(ratePerSecond.toPrecision(4));
}
