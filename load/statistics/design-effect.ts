import { average, variance } from "./batch-means.ts";
import { studentQuantile } from "./student.ts";

/** Batches the effect is estimated from; their number is its degrees of freedom. */
const BATCHES = 20;
/** Below this many values a batch would hold one: independence has to be assumed. */
const VALUES_MIN = 2 * BATCHES;
/** Correlation of neighbouring batches taken at most: beyond it the run is shorter than the queue's memory. */
const CORRELATION_MAX = 0.9;

/**
 * How many requests one request is worth less because its neighbours waited in the same queue: n successive latencies
 * tell as much about a share as n / effect independent ones. Estimated from batch means of ranks, so that outliers do
 * not rule it; when the batches themselves still resemble their neighbours, which near saturation they do, the variance
 * of their mean grows by (1 + r) / (1 − r), as that of any first-order autoregressive series. At least 1.
 */
export function designEffect(values: ArrayLike<number>): number {
  return designEffects(values).lasting;
}

/** How much dependence there is within the batches of a run, and how much when batches remember each other too. */
export interface DesignEffects {
  /** From the spread of batch means alone. */
  readonly within: number;
  /** The same, corrected for what lasts longer than a batch. */
  readonly lasting: number;
}

const INDEPENDENT: DesignEffects = { within: 1, lasting: 1 };

export function designEffects(values: ArrayLike<number>): DesignEffects {
  return values.length < VALUES_MIN ? INDEPENDENT : effectsOf(ranksOf(values));
}

/** The same of zeros and ones, whose ranks are as good as themselves. */
export function designEffectsOfShare(ones: Float64Array): DesignEffects {
  return ones.length < VALUES_MIN ? INDEPENDENT : effectsOf(ones);
}

function effectsOf(values: Float64Array): DesignEffects {
  const n = values.length;
  const spread = variance(values);
  if (spread === 0) return INDEPENDENT;
  const means = Array.from({ length: BATCHES }, (_, batch) => {
    const from = Math.floor((batch * n) / BATCHES);
    return average(values.subarray(from, Math.floor(((batch + 1) * n) / BATCHES)));
  });
  const between = variance(means);
  const r = Math.min(CORRELATION_MAX, Math.max(0, neighbourCorrelation(means, between)));
  const within = (between * (n / BATCHES)) / spread;
  return { within: Math.max(1, within), lasting: Math.max(1, within * ((1 + r) / (1 - r))) };
}

/**
 * Sample size to use in Clopper–Pearson bounds for a share of correlated requests (Korn and Graubard 1998): divided by
 * the design effect, and again for having estimated that effect from few batches.
 */
export function effectiveSize(n: number, effect: number, confidence: number): number {
  if (effect <= 1) return n;
  const t = studentQuantile(confidence, BATCHES - 1) / studentQuantile(confidence, 1e6);
  return Math.min(n, n / effect / (t * t));
}

function neighbourCorrelation(means: readonly number[], spread: number): number {
  if (spread === 0) return 0;
  const mean = average(means);
  let sum = 0;
  for (let index = 1; index < means.length; index++) {
    sum += ((means[index] ?? 0) - mean) * ((means[index - 1] ?? 0) - mean);
  }
  return sum / (spread * (means.length - 1));
}

/** Ranks, ties sharing theirs. By sorting numbers and looking each up: twice as fast as sorting indices. */
function ranksOf(values: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(values).sort();
  const ranks = new Float64Array(values.length);
  for (let index = 0; index < ranks.length; index++) {
    const value = values[index] ?? 0;
    const below = countBelow(sorted, value, false);
    const isTied = sorted[below + 1] === value;
    ranks[index] = isTied ? (below + countBelow(sorted, value, true)) / 2 : below + 0.5;
  }
  return ranks;
}

/** Values of a sorted list below `value`, or up to it. */
function countBelow(sorted: Float64Array, value: number, included: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = sorted[middle] ?? 0;
    if (at < value || (included && at === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
