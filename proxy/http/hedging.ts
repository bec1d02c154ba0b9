import type { Clock } from "../../engines/clock.ts";
import type { Replica } from "../upstream/replica.ts";
import { RetryBudget } from "./retry-budget.ts";

/** When a second replica is asked because the first is slow to begin. */
export interface HedgeOptions {
  /** Ms without a byte of the answer after which a second replica is asked; `null` switches hedging off. */
  readonly afterMs: number | null;
  /** Share of requests that may be hedged. */
  readonly shareMax: number;
  /** Share of what the fleet may hold in flight up to which there is room for doing work twice. */
  readonly loadMax: number;
}

/** Off: doing work twice on GPUs is a choice of who pays for them. The caps keep it from melting a busy fleet. */
export const HEDGE: HedgeOptions = { afterMs: null, shareMax: 0.02, loadMax: 0.7 };

/** Hedges are counted over this long: two in a hundred requests need a hundred requests. */
const WINDOW_SECONDS = 60;

/** Says whether there is room for asking twice. */
export class Hedging {
  readonly options: HedgeOptions;
  readonly #budget: RetryBudget;

  constructor(clock: Clock, options: HedgeOptions) {
    this.options = options;
    const share = { budgetRatio: options.shareMax, budgetFloorPerSecond: 0 };
    this.#budget = new RetryBudget(clock, share, WINDOW_SECONDS);
  }

  /** A request has come in. */
  earn(): void {
    if (this.options.afterMs !== null) this.#budget.earn();
  }

  /** Takes one hedge out of its share; false when there is none left or the fleet is too busy for it. */
  spend(replicas: Iterable<Replica>, queued: number): boolean {
    return queued === 0 && hasRoom(replicas, this.options.loadMax) && this.#budget.spend();
  }
}

/** Whether the fleet is under `loadMax` of what it may hold, by its own limits or the engines', and none has a queue. */
function hasRoom(replicas: Iterable<Replica>, loadMax: number): boolean {
  let inFlight = 0;
  let limit = 0;
  for (const replica of replicas) {
    if (!replica.available) continue;
    if ((replica.stats?.waiting ?? 0) > 0) return false;
    inFlight += replica.inFlight;
    limit += Math.min(replica.inFlightMax, replica.stats?.maxSequences ?? Infinity);
  }
  return inFlight < limit * loadMax;
}
