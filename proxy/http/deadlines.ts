import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";
import { Roster } from "../roster.ts";

/** Limits of one request in ms; `Infinity` switches one off. */
export interface TimeLimits {
  /** From the attempt's start to a socket in hand: a machine that is gone answers nothing, not even a refusal. */
  readonly connectMs: number;
  /** From the attempt's start to the engine's response headers. */
  readonly headersMs: number;
  /** From the attempt's start to the first output: prefill of a long prompt behind a long queue. */
  readonly firstTokenMs: number;
  /** The same for an answer that comes in one piece: the whole generation. */
  readonly wholeMs: number;
  /** Between two pieces of output of an answer that has begun. Comments (`: ping`) do not count as output. */
  readonly stallMs: number;
  /** How long a client may take no bytes while some wait for it. */
  readonly writeStallMs: number;
  /** From the request's arrival to its end, over all attempts; a client may ask for less with `x-pitot-timeout-ms`. */
  readonly totalMs: number;
}

/** Limits for everybody, and what differs for a model. */
export interface TimeLimitOptions extends TimeLimits {
  readonly models?: Readonly<Record<string, Partial<TimeLimits>>>;
}

/** Generous by default: a false cut costs a whole generation, a late one only a wait. */
export const TIME_LIMITS: TimeLimits = {
  connectMs: 2_000,
  headersMs: 600_000,
  firstTokenMs: 300_000,
  wholeMs: 600_000,
  stallMs: 120_000,
  writeStallMs: 60_000,
  totalMs: Infinity,
};

/** A request as the wheel watches it. */
export interface Watched {
  readonly timer: ExchangeTimer;
  readonly limits: TimeLimits;
  /** When the current attempt began. */
  readonly attemptStartedMs: number;
  /** Since when bytes wait for the client; `null` when none do. */
  readonly blockedSinceMs: number | null;
  /** Ends the attempt; `client` when it is the client that must go. */
  expire(code: ErrorCode | "client"): void;
}

/** The wheel turns this often: a twentieth of a few seconds, the shortest limit worth setting in production. */
const PERIOD_MS = 100;
/** Shorter limits (tests, mostly) are kept to a twentieth too, down to this. */
const PERIOD_MS_MIN = 5;
const PERIODS_PER_LIMIT = 20;
/** A turn that comes so many periods after the last means that the proxy itself stood still: what fell due meanwhile is nobody's fault. */
const PERIODS_PER_STALL = 5;
/** Remembered at most: a process that stands still more often than this within one request has other worries. */
const STALLS_MAX = 32;

/** A while in which this process stood still. */
interface Stall {
  readonly endedMs: number;
  readonly lostMs: number;
}

/** One timer for all deadlines of all requests. */
export class Deadlines {
  readonly #watched = new Roster<Watched>();
  readonly #clock: Clock;
  #limits: TimeLimitOptions;
  #perModel = new Map<string, TimeLimits>();
  #cancel: Cancel;
  #turnedMs: number;
  #periodMs = PERIOD_MS;
  /** Oldest first. */
  readonly #stalls: Stall[] = [];

  constructor(clock: Clock, limits: TimeLimitOptions) {
    this.#clock = clock;
    this.#limits = limits;
    this.#turnedMs = clock.nowMs();
    this.#cancel = this.#start();
  }

  /** In force for requests that begin from now on. */
  set limits(limits: TimeLimitOptions) {
    this.#limits = limits;
    this.#perModel.clear();
    this.#cancel();
    this.#turnedMs = this.#clock.nowMs();
    this.#cancel = this.#start();
  }

  /** What holds for a request for this model. */
  of(model: string): TimeLimits {
    const own = this.#limits.models?.[model];
    if (own === undefined) return this.#limits;
    let merged = this.#perModel.get(model);
    if (merged === undefined) {
      merged = { ...this.#limits, ...own };
      this.#perModel.set(model, merged);
    }
    return merged;
  }

  watch(watched: Watched): Cancel {
    return this.#watched.add(watched);
  }

  stop(): void {
    this.#cancel();
  }

  #start(): Cancel {
    const { models = {}, ...common } = this.#limits;
    const all = [common, ...Object.values(models)].flatMap((limits) => Object.values(limits));
    const limitMs = Math.min(...all);
    this.#periodMs = Math.max(PERIOD_MS_MIN, Math.min(PERIOD_MS, limitMs / PERIODS_PER_LIMIT));
    return every(this.#clock, this.#periodMs, () => {
      this.#turn();
    });
  }

  #turn(): void {
    const nowMs = this.#clock.nowMs();
    const lateMs = nowMs - this.#turnedMs;
    this.#turnedMs = nowMs;
    if (lateMs > this.#periodMs * PERIODS_PER_STALL) {
      // What arrived during the stall has not been read yet: look again at the next turn.
      this.#stalls.push({ endedMs: nowMs, lostMs: lateMs - this.#periodMs });
      if (this.#stalls.length > STALLS_MAX) this.#stalls.shift();
      return;
    }
    for (const watched of this.#watched) this.#check(watched, nowMs);
  }

  #check(watched: Watched, nowMs: number): void {
    const { timer, limits, attemptStartedMs, blockedSinceMs } = watched;
    if (blockedSinceMs !== null) {
      // The engine is held back by our own back-pressure: its silence is the client's doing.
      if (this.#passed(blockedSinceMs, nowMs) > limits.writeStallMs) watched.expire("client");
      return;
    }
    const flowingSinceMs = timer.flowingSinceMs;
    if (flowingSinceMs !== null) {
      if (this.#passed(flowingSinceMs, nowMs) > limits.stallMs) watched.expire("upstream_stalled");
      return;
    }
    const { phase } = timer;
    const waitedMs = this.#passed(attemptStartedMs, nowMs);
    const firstMs = timer.start.streamed ? limits.firstTokenMs : limits.wholeMs;
    if (phase === "connecting" && waitedMs > limits.connectMs)
      watched.expire("upstream_connect_failed");
    else if (waitedMs > firstMs || (phase !== "prefill" && waitedMs > limits.headersMs))
      watched.expire("first_token_timeout");
  }

  /** Ms since `sinceMs`, less those in which this process stood still. */
  #passed(sinceMs: number, nowMs: number): number {
    let passedMs = nowMs - sinceMs;
    for (let index = this.#stalls.length - 1; index >= 0; index--) {
      const stall = this.#stalls[index];
      if (stall === undefined || stall.endedMs <= sinceMs) break;
      passedMs -= Math.min(stall.lostMs, stall.endedMs - sinceMs);
    }
    return passedMs;
  }
}
