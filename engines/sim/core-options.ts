import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { Scheduler, SchedulerLimits } from "./schedulers/scheduler.ts";
import type { Speculation } from "./speculation.ts";
import type { Machine } from "./step-time.ts";

/** What a simulated engine is made of, without any HTTP. */
export interface CoreOptions {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly limits: SchedulerLimits;
  readonly kvCapacityTokens: number;
  readonly blockTokens: number;
  /** Longest input + output taken: the model's own, or what the cache can hold. */
  readonly contextTokens: number;
  readonly clock: Clock;
  readonly random: Random;
  /** How many times faster than the modelled hardware time runs. */
  readonly speed: number;
  /** Relative spread of step times, and with it a rare stall; 0 for neither. */
  readonly jitter: number;
  /** Keeps finished prompts' blocks for reuse. */
  readonly prefixCache: boolean;
  readonly speculative: Speculation | null;
}
