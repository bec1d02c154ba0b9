import { exponential } from "../../engines/random.ts";
import { type ArrivalOptions, byGaps } from "./gaps.ts";
import type { Pacer } from "./pacer.ts";

/** Poisson arrivals whose rate goes in a straight line from `ratePerSecond` to `toRatePerSecond` over the duration. */
export function ramp(options: ArrivalOptions): Pacer {
  const { ratePerSecond: from, durationMs, random } = options;
  const to = options.toRatePerSecond ?? from;
  const perMs = from / 1000;
  const growth = (to - from) / 1000 / durationMs;
  // The expected count up to t is perMs·t + growth·t²/2; unit exponential steps in it are the arrivals.
  const countAt = (ms: number): number => perMs * ms + (growth * ms * ms) / 2;
  const timeOf = (count: number): number => {
    if (growth === 0) return count / perMs;
    const inside = perMs * perMs + 2 * growth * count;
    return inside < 0 ? Infinity : (Math.sqrt(inside) - perMs) / growth;
  };
  return byGaps(
    options,
    (previousMs) => timeOf(countAt(previousMs) + exponential(random, 1)),
    (elapsedMs) => from + ((to - from) * Math.min(elapsedMs, durationMs)) / durationMs,
  );
}
