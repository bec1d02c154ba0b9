import type { Clock } from "../../../engines/clock.ts";

/** First time a replica that went down stays out although its probes succeed again; doubled each further time. */
const HOLD_MS = 5_000;
const HOLD_MS_MAX = 60_000;
/** Up this long, a replica has earned a clean slate. */
const STEADY_MS = 60_000;

/**
 * Keeps a replica that flaps from being taken back at every flap. Each fall doubles how long it stays out, until it
 * has stood for a minute.
 */
export class HoldDown {
  readonly #clock: Clock;
  #falls = 0;
  #heldUntilMs = 0;
  #upSinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  fell(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#upSinceMs > STEADY_MS) this.#falls = 0;
    this.#heldUntilMs = nowMs + Math.min(HOLD_MS_MAX, HOLD_MS * 2 ** this.#falls);
    this.#falls++;
  }

  rose(): void {
    this.#upSinceMs = this.#clock.nowMs();
  }

  /** Whether it should still stay out; the caller lets it back in when nobody else can serve. */
  get holds(): boolean {
    return this.#clock.nowMs() < this.#heldUntilMs;
  }
}
