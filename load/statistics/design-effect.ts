import { average, neighbourCorrelation, split, variance } from "./batch-means.ts";
import { studentQuantile } from "./student.ts";

/** Batches a run is cut into, finest first: many know their own spread well, few and long ones forget each other. */
const BATCHES: readonly number[] = [64, 32, 16];
/** A batch of fewer values says nothing of how its values hang together. */
const BATCH_MIN = 8;
/** Batches that resemble their neighbours less than this are long enough: no coarser cut is tried. */
const CORRELATION_SMALL = 0.2;
/** Correlation of neighbouring batches taken at most. */
const CORRELATION_MAX = 0.9;
/** Below this many values independence has to be assumed: there is nothing to tell dependence by. */
const VALUES_MIN = 40;
/** Variance of batches' gaps, as a share of the planned one squared, below which arrivals are evenly spaced but for rounding. */
const STEADY_MAX = 1e-12;
/** Ranks are told apart this finely: a design effect does not feel more, and looking them up costs three times less. */
const RANKS = 512;
/** Stands for the normal distribution among Student's. */
const FREEDOM_NORMAL = 1e6;

/** When the requests came, and how far apart they were meant to come on average. */
export interface Arrivals {
  readonly atMs: Float64Array;
  readonly meanGapMs: number;
}

/** A mean of dependent values, and how much it is worth. */
export interface DependentMean {
  readonly mean: number;
  /** n dependent values tell as much about the mean as n / effect independent ones. At least 1. */
  readonly effect: number;
  /** The same by the spread of the batches alone, as if they did not resemble their neighbours. */
  readonly effectWithin: number;
  /** Degrees of freedom the effect was estimated with. */
  readonly freedom: number;
  /** Of neighbouring batches, small-sample bias removed: far above 0 the run is short against the queue's memory. */
  readonly correlation: number;
}

/**
 * How many requests one request is worth less because its neighbours waited in the same queue. Estimated from batch means
 * of ranks, so that outliers do not rule it. At least 1. `sorted`: the same values in order, where they are at hand.
 */
export function designEffect(values: ArrayLike<number>, sorted?: ArrayLike<number>): number {
  return meanOfRanks(values, sorted).effect;
}

/** {@link dependentMean} of each value's rank. */
export function meanOfRanks(values: ArrayLike<number>, sorted?: ArrayLike<number>): DependentMean {
  return dependentMean(ranksOf(values, sorted ?? Float64Array.from(values).sort()), null);
}

/**
 * Mean of a series by batch means, whose spread is what dependence leaves of the sample. Batches that still resemble their
 * neighbours at the coarsest cut make the variance of their mean grow by (1 + r) / (1 − r), as that of a first-order
 * autoregressive series.
 *
 * With `arrivals`, the mean is that of exactly the load that was planned: a window into which chance brought three percent
 * more requests shows more of a wait than its rate has, and how much more, the window's own batches tell by regression
 * (a control variate: Lavenberg and Welch 1981, "A perspective on the use of control variables", Management Science 27).
 * Of the noise of a queue's waits near saturation that is most.
 */
export function dependentMean(values: Float64Array, arrivals: Arrivals | null): DependentMean {
  const n = values.length;
  const mean = average(values);
  const spread = variance(values);
  const independent: DependentMean = {
    mean,
    effect: 1,
    effectWithin: 1,
    freedom: FREEDOM_NORMAL,
    correlation: 0,
  };
  if (n < VALUES_MIN || spread === 0) return independent;
  for (const count of BATCHES) {
    const isCoarsest = count === BATCHES.at(-1);
    if (n / count < BATCH_MIN && !isCoarsest) continue;
    const found = ofBatches(values, count, arrivals);
    const correlation = unbiased(found.correlation, count);
    if (correlation > CORRELATION_SMALL && !isCoarsest) continue;
    const r = Math.min(CORRELATION_MAX, Math.max(0, correlation));
    const within = (found.variance * n) / spread;
    const effect = Math.max(1, (within * (1 + r)) / (1 - r));
    const effectWithin = Math.max(1, within);
    return { mean: found.mean, effect, effectWithin, freedom: found.freedom, correlation };
  }
  return independent;
}

interface Found {
  readonly mean: number;
  /** Of the mean. */
  readonly variance: number;
  readonly freedom: number;
  readonly correlation: number;
}

function ofBatches(values: Float64Array, count: number, arrivals: Arrivals | null): Found {
  const means = split(values, count);
  const mean = average(means);
  const late = arrivals === null ? null : excessGaps(arrivals, count);
  const meanLate = late === null ? 0 : average(late);
  const spreadLate = late === null ? 0 : variance(late) * (count - 1);
  if (late === null || spreadLate < count * STEADY_MAX) {
    const correlation = neighbourCorrelation(means);
    return { mean, variance: variance(means) / count, freedom: count - 1, correlation };
  }
  const together = means.reduce(
    (sum, one, b) => sum + (one - mean) * ((late[b] ?? 0) - meanLate),
    0,
  );
  const slope = together / spreadLate;
  const residuals = means.map((one, b) => one - mean - slope * ((late[b] ?? 0) - meanLate));
  const freedom = count - 2;
  const residual = (variance(residuals) * (count - 1)) / freedom;
  return {
    mean: mean - slope * meanLate,
    variance: (residual / count) * (1 + (meanLate ** 2 * count) / spreadLate),
    freedom,
    correlation: neighbourCorrelation(residuals),
  };
}

/** By how much of the planned gap the gaps of each batch exceeded it; 0 is what they are meant to be. */
function excessGaps({ atMs, meanGapMs }: Arrivals, count: number): readonly number[] {
  const n = atMs.length;
  return Array.from({ length: count }, (_, batch) => {
    // From the last request of the batch before to the last of this one; the first batch has one gap less.
    const from = Math.max(0, Math.floor((batch * n) / count) - 1);
    const to = Math.floor(((batch + 1) * n) / count) - 1;
    return ((atMs[to] ?? 0) - (atMs[from] ?? 0)) / (to - from) / meanGapMs - 1;
  });
}

/** Removes what a short series takes from its own correlation (Kendall 1954): (1 + 3 r) / count. */
function unbiased(correlation: number, count: number): number {
  return (correlation + 1 / count) / (1 - 3 / count);
}

/**
 * Sample size to use in Clopper–Pearson bounds for a share of correlated requests (Korn and Graubard 1998): divided by
 * the design effect, and again for having estimated that effect from few batches.
 */
export function effectiveSize(
  n: number,
  { effect, freedom }: Pick<DependentMean, "effect" | "freedom">,
  confidence: number,
): number {
  if (effect <= 1) return n;
  const t = studentQuantile(confidence, freedom) / studentQuantile(confidence, FREEDOM_NORMAL);
  return Math.min(n, n / effect / (t * t));
}

/** Ranks among {@link RANKS} evenly spaced ones; equal values share theirs. */
function ranksOf(values: ArrayLike<number>, sorted: ArrayLike<number>): Float64Array {
  const n = values.length;
  const marks = Float64Array.from(
    { length: Math.min(RANKS, n) },
    (_, rank) => sorted[Math.floor(((rank + 0.5) * n) / Math.min(RANKS, n))] ?? 0,
  );
  return Float64Array.from(values, (value) => (below(marks, value) + upTo(marks, value)) / 2);
}

function below(marks: Float64Array, value: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function upTo(marks: Float64Array, value: number): number {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
