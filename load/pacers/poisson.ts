import { exponential, type Random } from "../../engines/random.ts";
import type { Pacer } from "./pacer.ts";
import { planned } from "./planned.ts";

/** Arrivals planned ahead at most: an hour at a thousand a second. */
const ARRIVALS_MAX = 3_600_000;

/** Independent users: exponential gaps of mean 1/rate, planned ahead from the seed for the whole stage. */
export function poisson(options: {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly random: Random;
}): Pacer {
  const { ratePerSecond, durationMs, random } = options;
  const atMs: number[] = [];
  for (
    let dueMs = exponential(random, 1000 / ratePerSecond);
    dueMs < durationMs && atMs.length < ARRIVALS_MAX;
    dueMs += exponential(random, 1000 / ratePerSecond)
  ) {
    atMs.push(dueMs);
  }
  return { ...planned(atMs), rateAt: () => ratePerSecond };
}
