import { binomialCdf } from "./binomial.ts";

/** Two-sided confidence of every interval Pitot prints. */
export const CONFIDENCE = 0.95;

export interface Interval {
  readonly low: number;
  /** `Infinity` when the samples do not bound it from above. */
  readonly high: number;
}

/**
 * Distribution-free interval of percentile `q` from order statistics: the ranks a binomial count falls between. `null`
 * when the samples are too few for a lower bound. A missing upper rank is +∞, never the largest sample.
 *
 * Values that depend on their neighbours are worth only `effectiveN` independent ones: the ranks are found for that many
 * and stretched over all, which widens the interval by as much as the dependence does.
 */
export function percentileInterval(
  sorted: ArrayLike<number>,
  q: number,
  effectiveN: number = sorted.length,
): Interval | null {
  const worth = Math.min(sorted.length, Math.floor(effectiveN));
  if (worth === 0) return null;
  const stretch = sorted.length / worth;
  const tail = (1 - CONFIDENCE) / 2;
  const lowRank = largestRank(worth, q, tail);
  if (lowRank === 0) return null;
  const highRank = smallestRank(worth, q, 1 - tail);
  const low = Math.max(1, Math.floor((lowRank - 1) * stretch + 1));
  return {
    low: sorted[low - 1] ?? 0,
    high: highRank > worth ? Infinity : (sorted[Math.ceil(highRank * stretch) - 1] ?? Infinity),
  };
}

/** Largest 1-based rank l with P(K ≤ l − 1) ≤ `tail`; 0 when none. */
function largestRank(n: number, q: number, tail: number): number {
  return bisect(0, n, (rank) => binomialCdf(rank - 1, n, q) <= tail);
}

/** Smallest 1-based rank u with P(K ≤ u − 1) ≥ `mass`; n + 1 when none. */
function smallestRank(n: number, q: number, mass: number): number {
  return bisect(0, n, (rank) => binomialCdf(rank - 1, n, q) < mass) + 1;
}

/** Largest value in [from, to] for which `holds`, which is true up to some point and false after. `from` is taken to hold. */
function bisect(from: number, to: number, holds: (value: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
