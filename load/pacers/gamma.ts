import { normal, type Random } from "../../engines/random.ts";
import { type ArrivalOptions, byGaps } from "./gaps.ts";
import type { Pacer } from "./pacer.ts";

/** As bursty as conversations recorded in production tend to be. */
export const GAMMA_CV_DEFAULT = 2;

/** Gamma-distributed gaps: a coefficient of variation of 1 is Poisson, above it arrivals come in bursts, below it they space out. */
export function gamma(options: ArrivalOptions): Pacer {
  const { ratePerSecond, random, cv = GAMMA_CV_DEFAULT } = options;
  const shape = 1 / (cv * cv);
  const scaleMs = 1000 / (ratePerSecond * shape);
  return byGaps(
    options,
    (previousMs) => previousMs + scaleMs * gammaVariate(random, shape),
    () => ratePerSecond,
  );
}

/**
 * A gamma variable of unit scale (Marsaglia and Tsang 2000, "A simple method for generating gamma variables"); below
 * shape 1 by their boost.
 */
function gammaVariate(random: Random, shape: number): number {
  if (shape < 1) {
    return gammaVariate(random, shape + 1) * (1 - random.next()) ** (1 / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const u = 1 - random.next();
    if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
