import { type ArrivalOptions, byGaps } from "./gaps.ts";
import type { Pacer } from "./pacer.ts";

/** Equal gaps, truly: request n is due at n/rate, counted from the start so that nothing adds up. */
export function constant(options: ArrivalOptions): Pacer {
  const gapMs = 1000 / options.ratePerSecond;
  let index = 0;
  return byGaps(
    options,
    () => index++ * gapMs,
    () => options.ratePerSecond,
  );
}
