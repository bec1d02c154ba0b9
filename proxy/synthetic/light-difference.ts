import type { Point } from "../../load/results/point.ts";
import type { Difference, OverallDifference, PathDifference } from "./sweep-view.ts";

/** What is asked of a point before it counts. */
export type EndedPoint = Pick<Point, "pointId" | "stage" | "valid" | "saturated" | "inFlightMean">;

/** A point and what its pairs say. */
export interface PointDifference {
  readonly pointId: string;
  readonly difference: PathDifference;
}

/** A difference whose interval has two ends. */
interface Known extends Difference {
  readonly high: number;
}

/** Half width of a 95 % interval in standard errors. */
const Z = 1.96;
/** An interval that is no wider than a clock can tell must not outweigh all others. */
const HALF_WIDTH_MS_MIN = 0.001;
/** A level costs more when it does so by this many standard errors (one in a thousand by chance) … */
const DEARER_ERRORS = 3;
/** … and by half as much again: less is no reason to set it apart. */
const DEARER_RATIO = 1.5;

/**
 * Whether a point tells of the proxy: not while everything warms up, not where the generator was measured, and not where a
 * queue at the engine grows, in which the second of a pair waits longer than the first whichever way it goes.
 */
export function countsInWhole({ stage, valid, saturated }: EndedPoint): boolean {
  return stage !== "warm-up" && valid && !saturated;
}

/**
 * The points that agree, from the lightest on, as one: up to the load at which the way through the proxy begins to cost more,
 * because it, or the machine it shares, is pressed. One figure over all loads would be the mean of what it costs and of how
 * hard the sweep happened to press. `points` come lightest first.
 */
export function lightDifference(points: readonly PointDifference[]): OverallDifference | null {
  const told = points.filter(({ difference }) => known(difference.ttftMs) !== null);
  const border = told.findIndex(({ difference }, index) => {
    const lighter = weighted(told.slice(0, index).map((one) => one.difference.ttftMs));
    return lighter !== null && isDearer(difference.ttftMs, lighter);
  });
  const light = border === -1 ? told : told.slice(0, border);
  if (light.length === 0) return null;
  return {
    ttftMs: weighted(light.map(({ difference }) => difference.ttftMs)),
    tpotMs: weighted(light.map(({ difference }) => difference.tpotMs)),
    e2eMs: weighted(light.map(({ difference }) => difference.e2eMs)),
    points: light.map(({ pointId }) => pointId),
    dearer: border === -1 ? [] : told.slice(border).map(({ pointId }) => pointId),
  };
}

function isDearer(difference: Difference | null, lighter: Known): boolean {
  const one = known(difference);
  if (one === null) return false;
  const error = Math.sqrt(varianceOf(one) + varianceOf(lighter));
  const more = one.median - lighter.median;
  return more > DEARER_ERRORS * error && one.median > DEARER_RATIO * lighter.median;
}

/**
 * Each with the weight its interval deserves: a quiet point knows the proxy's cost to microseconds, one with a long queue does
 * not, and a plain pool would drown the first in the second. What points differ by beyond their own intervals widens the
 * interval of the whole (random effects: DerSimonian and Laird, Controlled Clinical Trials 7, 1986).
 */
export function weighted(points: readonly (Difference | null)[]): Known | null {
  const all = points.map(known).filter((point) => point !== null);
  if (all.length === 0) return null;
  const variances = all.map(varianceOf);
  const between = varianceBetween(
    all.map(({ median }) => median),
    variances,
  );
  const weights = variances.map((variance) => 1 / (variance + between));
  const total = sumOf(weights);
  const mean = (of: (point: Difference) => number): number =>
    all.reduce((sum, point, index) => sum + (weights[index] ?? 0) * of(point), 0) / total;
  const median = mean((point) => point.median);
  const half = Z / Math.sqrt(total);
  return {
    median,
    low: median - half,
    high: median + half,
    pairs: all.reduce((sum, point) => sum + point.pairs, 0),
    direct: mean((point) => point.direct),
    routed: mean((point) => point.routed),
  };
}

function known(difference: Difference | null): Known | null {
  return difference === null || difference.high === null
    ? null
    : { ...difference, high: difference.high };
}

function varianceOf({ low, high }: Known): number {
  return (Math.max((high - low) / 2, HALF_WIDTH_MS_MIN) / Z) ** 2;
}

/** By how much more points differ than their own intervals explain, as a variance. */
function varianceBetween(medians: readonly number[], variances: readonly number[]): number {
  const weights = variances.map((variance) => 1 / variance);
  const total = sumOf(weights);
  const mean = sumOf(medians.map((median, index) => median * (weights[index] ?? 0))) / total;
  const spread = sumOf(
    medians.map((median, index) => (weights[index] ?? 0) * (median - mean) ** 2),
  );
  const scale = total - sumOf(weights.map((weight) => weight ** 2)) / total;
  return scale <= 0 ? 0 : Math.max(0, (spread - (medians.length - 1)) / scale);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
