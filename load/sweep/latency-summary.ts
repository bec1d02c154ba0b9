import type { LatencySummary } from "../results/point.ts";
import { average, variance } from "../statistics/batch-means.ts";
import { designEffect } from "../statistics/design-effect.ts";
import { percentileInterval } from "../statistics/order-interval.ts";
import { ascending, percentile, samplesNeeded } from "../statistics/percentile.ts";
import type { Sample } from "./sample.ts";

export const NO_LATENCY: LatencySummary = {
  n: 0,
  censored: 0,
  mean: null,
  sd: null,
  p50: null,
  p90: null,
  p95: null,
  p99: null,
  max: null,
  low: null,
  high: null,
  p95Low: null,
  p95High: null,
};

/**
 * Sums up a latency. `values` in order of planned sends, `Infinity` for requests that were cut before they got so far;
 * neighbours depend on each other, so the intervals are those of the independent requests they are worth.
 */
export function summariseLatency(values: readonly number[]): LatencySummary {
  const n = values.length;
  if (n === 0) return NO_LATENCY;
  const sorted = ascending(values);
  const finite = sorted.filter((value) => value !== Infinity);
  const censored = n - finite.length;
  const at = (q: number): number | null =>
    n < samplesNeeded(q) ? null : bounded(percentile(sorted, q));
  const worth = n / designEffect(values, sorted);
  const median = percentileInterval(sorted, 0.5, worth);
  const p95 = percentileInterval(sorted, 0.95, worth);
  return {
    n,
    censored,
    mean: censored === 0 ? average(finite) : null,
    sd: censored === 0 ? Math.sqrt(variance(finite)) : null,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: censored === 0 ? (finite.at(-1) ?? null) : null,
    low: bounded(median?.low ?? null),
    high: bounded(median?.high ?? null),
    p95Low: bounded(p95?.low ?? null),
    p95High: bounded(p95?.high ?? null),
  };
}

/**
 * Latencies to the first output that is no reasoning; `null` where no answer began with reasoning. A request that was over before
 * its answer began waits for it still.
 */
export function summariseFirstAnswers(samples: readonly Sample[]): LatencySummary | null {
  const reasoned = samples.some(({ ttftMs, ttfotMs }) => ttftMs !== null && ttfotMs !== ttftMs);
  if (!reasoned) return null;
  return summariseLatency(
    samples.map(({ kind, ttfotMs }) => (kind === "failed" ? Infinity : (ttfotMs ?? Infinity))),
  );
}

/** Percentiles of values that each stand for `weight` tokens. Gaps of one answer are no independent sample: no interval. */
export function summariseWeighted(
  values: readonly { readonly value: number; readonly weight: number }[],
): LatencySummary {
  if (values.length === 0) return NO_LATENCY;
  const sorted = values.toSorted((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const mean = sorted.reduce((sum, { value, weight }) => sum + value * weight, 0) / total;
  const spread = sorted.reduce((sum, { value, weight }) => sum + weight * (value - mean) ** 2, 0);
  const at = (q: number): number | null => {
    if (sorted.length < samplesNeeded(q)) return null;
    let below = 0;
    for (const { value, weight } of sorted) {
      below += weight;
      if (below >= q * total) return value;
    }
    return sorted.at(-1)?.value ?? null;
  };
  return {
    ...NO_LATENCY,
    n: sorted.length,
    mean,
    sd: Math.sqrt(spread / total),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: sorted.at(-1)?.value ?? null,
  };
}

function bounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : value;
}
