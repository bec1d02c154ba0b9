import type { Point } from "../results/point.ts";
import type { Workload } from "../prompts/workload.ts";
import type { SweepPlan } from "./plan.ts";

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
