import type { Clock } from "../../engines/clock.ts";

/** How many further tries all requests together may cost. */
export interface RetryBudgetOptions {
  /** Further tries per request over the window. */
  readonly budgetRatio: number;
  /** Further tries per second that are always allowed: a quiet proxy has no requests to take a share of. */
  readonly budgetFloorPerSecond: number;
}

/** The budget is counted over this window, in slices of a second. */
const WINDOW_SECONDS = 10;
const SLICE_MS = 1_000;

/**
 * Keeps retries from turning a failing fleet into a flooded one: over any ten seconds further tries are at most a
 * share of the requests, whatever each of them would still be allowed for itself. Envoy and linkerd call it so too.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #options: RetryBudgetOptions;
  readonly #requests: Float64Array;
  readonly #retries: Float64Array;
  #slice: number;

  constructor(clock: Clock, options: RetryBudgetOptions, windowSeconds = WINDOW_SECONDS) {
    this.#clock = clock;
    this.#options = options;
    this.#requests = new Float64Array(windowSeconds);
    this.#retries = new Float64Array(windowSeconds);
    this.#slice = this.#now();
  }

  /** A request has come in: it earns its share of a retry. */
  earn(): void {
    this.#turn();
    add(this.#requests, this.#slice);
  }

  /** Whether one more try is within the budget. */
  get hasRoom(): boolean {
    this.#turn();
    const { budgetRatio, budgetFloorPerSecond } = this.#options;
    const allowed =
      budgetRatio * sum(this.#requests) + budgetFloorPerSecond * this.#requests.length;
    return sum(this.#retries) + 1 <= allowed;
  }

  /** Takes one try out of the budget; false when there is none left. */
  spend(): boolean {
    if (!this.hasRoom) return false;
    add(this.#retries, this.#slice);
    return true;
  }

  /** Forgets slices that have left the window. */
  #turn(): void {
    const now = this.#now();
    const slices = this.#requests.length;
    const passed = Math.min(slices, now - this.#slice);
    for (let step = 1; step <= passed; step++) {
      const index = (this.#slice + step) % slices;
      this.#requests[index] = 0;
      this.#retries[index] = 0;
    }
    this.#slice = Math.max(this.#slice, now);
  }

  #now(): number {
    return Math.floor(this.#clock.nowMs() / SLICE_MS);
  }
}

function add(counts: Float64Array, slice: number): void {
  const index = slice % counts.length;
  counts[index] = (counts[index] ?? 0) + 1;
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
