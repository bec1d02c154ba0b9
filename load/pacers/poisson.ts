import { exponential } from "../../engines/random.ts";
import { type ArrivalOptions, byGaps } from "./gaps.ts";
import type { Pacer } from "./pacer.ts";

/** Independent users: exponential gaps of mean 1/rate. */
export function poisson(options: ArrivalOptions): Pacer {
  const { ratePerSecond, random } = options;
  return byGaps(
    options,
    (previousMs) => previousMs + exponential(random, 1000 / ratePerSecond),
    () => ratePerSecond,
  );
}
