import type { Clock } from "../../../engines/clock.ts";

/** When a replica that answers badly is held out of routing, and for how long. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly consecutiveMax: number;
  /** Share of failures that opens it, once {@link ratioSamplesMin} answers came within {@link windowMs}. */
  readonly ratioMax: number;
  readonly ratioSamplesMin: number;
  readonly windowMs: number;
  /** First time it stays open; doubled each time it opens again without having closed, up to {@link openMsMax}. */
  readonly openMs: number;
  readonly openMsMax: number;
  /** Good answers, one at a time, that close it. */
  readonly trialsToClose: number;
  /** When more than this share of a model's replicas is held out, breakers are ignored: then it is not the replicas. */
  readonly ejectedShareMax: number;
}

/**
 * Envoy's outlier detection (5 in a row, interval 10 s) with shorter holds: in a fleet of two to eight engines each
 * one counts, and its 10 % ejection cap would mean none at all.
 */
export const BREAKER: BreakerOptions = {
  consecutiveMax: 5,
  ratioMax: 0.5,
  ratioSamplesMin: 10,
  windowMs: 10_000,
  openMs: 5_000,
  openMsMax: 60_000,
  trialsToClose: 2,
  ejectedShareMax: 0.5,
};

/** The window is counted in this many slices: old answers leave a tenth of it at a time. */
const SLICES = 10;

export type BreakerState = "closed" | "open" | "half-open";

interface Slice {
  number: number;
  good: number;
  bad: number;
}

/**
 * Closed: lets everything through and counts. Open: lets nothing through. Half-open, once its time is over: lets exactly
 * one request through at a time, until enough of them were good. No timer: it asks the clock when it is asked.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #options: BreakerOptions;
  readonly #slices: Slice[] = [];
  #consecutive = 0;
  /** Times it opened in all. */
  #opened = 0;
  /** Times it opened since it was last closed. */
  #openings = 0;
  #openUntilMs: number | null = null;
  #goodTrials = 0;
  #onTrial = false;

  constructor(clock: Clock, options: BreakerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get state(): BreakerState {
    if (this.#openUntilMs === null) return "closed";
    return this.#clock.nowMs() < this.#openUntilMs ? "open" : "half-open";
  }

  /** Whether a request may be sent now. */
  get admits(): boolean {
    const { state } = this;
    return state === "closed" || (state === "half-open" && !this.#onTrial);
  }

  /**
   * A request was sent: in the half-open state it is the trial. The returned mark goes with its result, so that an
   * answer asked for before the breaker opened does not decide whether it closes.
   */
  sent(): number {
    if (this.state === "half-open") this.#onTrial = true;
    return this.#opened;
  }

  /** It ended in a way that says nothing of the replica: the client left, or was wrong, or the engine was full. */
  neutral(mark: number): void {
    if (mark === this.#opened) this.#onTrial = false;
  }

  /** Returns true when this answer closed it. */
  succeeded(mark: number): boolean {
    if (mark !== this.#opened) return false;
    const { state } = this;
    this.#onTrial = false;
    this.#consecutive = 0;
    if (state === "closed") this.#slice().good++;
    if (state !== "half-open") return false;
    this.#goodTrials++;
    if (this.#goodTrials < this.#options.trialsToClose) return false;
    this.#openUntilMs = null;
    this.#openings = 0;
    this.#slices.length = 0;
    return true;
  }

  /** Returns true when this failure opened it. */
  failed(mark: number): boolean {
    if (mark !== this.#opened) return false;
    const { state } = this;
    this.#onTrial = false;
    if (state === "open") return false;
    if (state === "half-open") return this.#open();
    this.#consecutive++;
    this.#slice().bad++;
    return this.#isTooMuch() ? this.#open() : false;
  }

  /** How long it stays open from now, for the sentence that says so. */
  get openForMs(): number {
    return Math.max(0, (this.#openUntilMs ?? 0) - this.#clock.nowMs());
  }

  #isTooMuch(): boolean {
    const { consecutiveMax, ratioMax, ratioSamplesMin } = this.#options;
    if (this.#consecutive >= consecutiveMax) return true;
    let bad = 0;
    let all = 0;
    const oldest = this.#sliceNumber() - SLICES + 1;
    for (const slice of this.#slices) {
      if (slice.number < oldest) continue;
      bad += slice.bad;
      all += slice.bad + slice.good;
    }
    return all >= ratioSamplesMin && bad / all >= ratioMax;
  }

  #open(): true {
    const { openMs, openMsMax } = this.#options;
    const holdMs = Math.min(openMsMax, openMs * 2 ** this.#openings);
    this.#openings++;
    this.#opened++;
    this.#openUntilMs = this.#clock.nowMs() + holdMs;
    this.#goodTrials = 0;
    this.#consecutive = 0;
    this.#slices.length = 0;
    return true;
  }

  #slice(): Slice {
    const number = this.#sliceNumber();
    const last = this.#slices.at(-1);
    if (last?.number === number) return last;
    const fresh = { number, good: 0, bad: 0 };
    this.#slices.push(fresh);
    if (this.#slices.length > SLICES) this.#slices.shift();
    return fresh;
  }

  #sliceNumber(): number {
    return Math.floor(this.#clock.nowMs() / (this.#options.windowMs / SLICES));
  }
}
