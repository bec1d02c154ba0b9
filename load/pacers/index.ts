import type { ArrivalName } from "../results/point.ts";
import { closedLoop } from "./closed-loop.ts";
import { constant } from "./constant.ts";
import type { ArrivalOptions } from "./gaps.ts";
import { gamma } from "./gamma.ts";
import type { Pacer } from "./pacer.ts";
import { planned } from "./planned.ts";
import { poisson } from "./poisson.ts";
import { ramp } from "./ramp.ts";

/** What any pacer may be made from; each takes what it needs. */
export interface PacerOptions extends ArrivalOptions {
  readonly concurrency: number;
  /** Time over which a closed loop's first round arrives. */
  readonly rampMs: number;
  /** Moments of a trace, ascending. */
  readonly atMs: ArrayLike<number>;
}

/** Every pacer, by the name users write. */
export const pacers = {
  closed: closedLoop,
  poisson,
  constant,
  gamma,
  ramp,
  trace: ({ atMs }) => planned(atMs),
} satisfies Record<ArrivalName, (options: PacerOptions) => Pacer>;
