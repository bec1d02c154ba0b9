import type { Clock } from "../../../engines/clock.ts";
import { Breaker, type BreakerOptions } from "./breaker.ts";

/** Models that get a breaker of their own; beyond it they share one. A name only gets here once a replica was chosen for it. */
const MODELS_MAX = 64;

/**
 * One replica's breakers, one per model it serves: an adapter that always fails must not take the others with it.
 */
export class Breakers {
  readonly #clock: Clock;
  readonly #options: BreakerOptions;
  readonly #byModel = new Map<string, Breaker>();

  constructor(clock: Clock, options: BreakerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  of(model: string): Breaker {
    const known = this.#byModel.get(model);
    if (known !== undefined) return known;
    const name = this.#byModel.size < MODELS_MAX ? model : "";
    const shared = this.#byModel.get(name);
    if (shared !== undefined) return shared;
    const fresh = new Breaker(this.#clock, this.#options);
    this.#byModel.set(name, fresh);
    return fresh;
  }

  /** Whether any model's breaker holds this replica out, or is still trying it. */
  get anyOpen(): boolean {
    for (const breaker of this.#byModel.values()) if (breaker.state !== "closed") return true;
    return false;
  }
}
