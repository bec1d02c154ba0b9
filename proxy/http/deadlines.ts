import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";

/** Limits of one request in ms; `Infinity` switches one off. */
export interface TimeLimits {
  /** From the attempt's start to a socket in hand. undici enforces it too; this one covers its queue. */
  readonly connectMs: number;
  /** From the attempt's start to the first output: prefill of a long prompt behind a long queue. */
  readonly firstTokenMs: number;
  /** The same for an answer that comes in one piece: the whole generation. */
  readonly wholeMs: number;
  /** Between two pieces of an answer that has begun. */
  readonly stallMs: number;
  /** How long a client may take no bytes while some wait for it. */
  readonly writeStallMs: number;
}

/** Generous by default: a false cut costs a whole generation, a late one only a wait. */
export const TIME_LIMITS: TimeLimits = {
  connectMs: 10_000,
  firstTokenMs: 300_000,
  wholeMs: 600_000,
  stallMs: 120_000,
  writeStallMs: 60_000,
};

/** A request as the wheel watches it. */
export interface Watched {
  readonly timer: ExchangeTimer;
  /** When the current attempt began. */
  readonly attemptStartedMs: number;
  /** Since when bytes wait for the client; `null` when none do. */
  readonly blockedSinceMs: number | null;
  /** Ends the attempt; `client` when it is the client that must go. */
  expire(code: ErrorCode | "client"): void;
}

/** How finely deadlines are kept: none is shorter than a few seconds. */
const WHEEL_PERIOD_MS = 250;

/** One timer for all deadlines of all requests. */
export class Deadlines {
  readonly #watched = new Set<Watched>();
  /** In force from the next look at the wheel. */
  limits: TimeLimits;
  readonly #cancel: Cancel;

  constructor(clock: Clock, limits: TimeLimits) {
    this.limits = limits;
    this.#cancel = every(clock, WHEEL_PERIOD_MS, () => {
      const nowMs = clock.nowMs();
      for (const watched of this.#watched) this.#check(watched, nowMs);
    });
  }

  watch(watched: Watched): Cancel {
    this.#watched.add(watched);
    return () => {
      this.#watched.delete(watched);
    };
  }

  stop(): void {
    this.#cancel();
  }

  #check(watched: Watched, nowMs: number): void {
    const { timer, attemptStartedMs, blockedSinceMs } = watched;
    const { limits } = this;
    if (blockedSinceMs !== null) {
      // The engine is held back by our own back-pressure: its silence is the client's doing.
      if (nowMs - blockedSinceMs > limits.writeStallMs) watched.expire("client");
      return;
    }
    const { phase } = timer;
    const firstMs = timer.start.streamed ? limits.firstTokenMs : limits.wholeMs;
    const waitedMs = nowMs - attemptStartedMs;
    if (phase === "connecting" && waitedMs > limits.connectMs)
      watched.expire("upstream_connect_failed");
    else if (phase === "decode" && nowMs - timer.lastActivityMs > limits.stallMs)
      watched.expire("upstream_stalled");
    else if (phase !== "decode" && waitedMs > firstMs) watched.expire("first_token_timeout");
  }
}
