import { average, variance } from "./batch-means.ts";
import { studentQuantile } from "./student.ts";

/** Batches the effect is estimated from; their number is its degrees of freedom. */
const BATCHES = 20;
/** Below this many values a batch would hold one: independence has to be assumed. */
const VALUES_MIN = 2 * BATCHES;

/**
 * How many requests one request is worth less because its neighbours waited in the same queue: n successive latencies
 * tell as much about a share as n / effect independent ones. Estimated from ranks, so that outliers do not rule it.
 * At least 1.
 */
export function designEffect(values: ArrayLike<number>): number {
  const n = values.length;
  if (n < VALUES_MIN) return 1;
  const ranks = ranksOf(values);
  const spread = variance(ranks);
  if (spread === 0) return 1;
  const means = Array.from({ length: BATCHES }, (_, batch) => {
    const from = Math.floor((batch * n) / BATCHES);
    return average(ranks.subarray(from, Math.floor(((batch + 1) * n) / BATCHES)));
  });
  return Math.max(1, (variance(means) * (n / BATCHES)) / spread);
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

function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, index) => index).sort(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0),
  );
  const ranks = new Float64Array(order.length);
  let from = 0;
  while (from < order.length) {
    let to = from + 1;
    const value = values[order[from] ?? 0];
    while (to < order.length && values[order[to] ?? 0] === value) to++;
    for (let at = from; at < to; at++) ranks[order[at] ?? 0] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}
