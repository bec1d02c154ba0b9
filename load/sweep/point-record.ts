import type { Exchange } from "../../engines/exchange.ts";
import { GAPS_MAX, type Nominal, type Sample, sampleOf, withoutGaps } from "./sample.ts";

/** Time is counted in bins of this; windows begin and end on one, so that counts by event time are exact. */
export const BIN_MS = 100;

/** Everything a point saw, kept by the time it happened: which part of it counts is only known later. */
export class PointRecord {
  readonly startedMs: number;
  readonly samples: Sample[] = [];
  readonly arrivals: number[] = [];
  readonly completions: number[] = [];
  readonly outputTokens: number[] = [];
  readonly outputEvents: number[] = [];
  /** Requests under way at the end of each second. */
  readonly inFlightEachSecond: number[] = [];
  inFlight = 0;
  inFlightMax = 0;
  sent = 0;
  failed = 0;
  #areaMs = 0;
  #areaAtMs = 0;
  #gaps = 0;
  /** Requests planned before this are the window's; counted as they go out and end. */
  #borderMs = Infinity;
  #openBefore = 0;
  readonly #open = new Map<number, number>();

  /**
   * Between requests on average as planned; `null` in a closed loop and in conversations, where answers decide when the
   * next ones come.
   */
  meanGapMs: number | null;

  constructor(startedMs: number, meanGapMs: number | null) {
    this.startedMs = startedMs;
    this.meanGapMs = meanGapMs;
  }

  send(plannedMs: number, nowMs: number): void {
    const at = plannedMs - this.startedMs;
    this.#integrate(nowMs);
    this.sent++;
    this.inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    add(this.arrivals, at, 1);
    this.#open.set(at, (this.#open.get(at) ?? 0) + 1);
    if (at < this.#borderMs) this.#openBefore++;
  }

  end(exchange: Exchange, sendLagMs: number, nominal: Nominal): Sample {
    this.#integrate(exchange.times.endedMs);
    this.inFlight--;
    const { startedMs } = this;
    const sample = sampleOf(exchange, { startedMs, sendLagMs, nominal });
    this.#gaps += sample.gapsMs.length;
    this.samples.push(this.#gaps > GAPS_MAX ? withoutGaps(sample) : sample);
    if (sample.kind === "failed") this.failed++;
    if (sample.kind === "completed") add(this.completions, sample.endedMs, 1);
    this.#countTokens(exchange, sample.plannedMs);
    this.#close(sample.plannedMs);
    return sample;
  }

  /** Requests planned before the border that are still under way. */
  get openBefore(): number {
    return this.#openBefore;
  }

  /** Moves the border between the window's requests and those after it. */
  setBorder(borderMs: number): void {
    this.#borderMs = borderMs;
    this.#openBefore = 0;
    for (const [plannedMs, count] of this.#open) {
      if (plannedMs < borderMs) this.#openBefore += count;
    }
  }

  /** Requests × ms under way from the start to `nowMs`. */
  areaAt(nowMs: number): number {
    this.#integrate(nowMs);
    return this.#areaMs;
  }

  #integrate(nowMs: number): void {
    const at = nowMs - this.startedMs;
    if (at <= this.#areaAtMs) return;
    this.#areaMs += this.inFlight * (at - this.#areaAtMs);
    this.#areaAtMs = at;
  }

  #close(plannedMs: number): void {
    const count = this.#open.get(plannedMs) ?? 0;
    if (count <= 1) this.#open.delete(plannedMs);
    else this.#open.set(plannedMs, count - 1);
    if (plannedMs < this.#borderMs) this.#openBefore--;
  }

  /** Spreads the answer's tokens over its events: an event is not a token, but the events say when they came. */
  #countTokens(exchange: Exchange, plannedMs: number): void {
    const { outputOffsetsMs, outputEvents, tokens } = exchange;
    const kept = outputOffsetsMs.length;
    if (kept === 0) {
      add(this.outputTokens, exchange.times.endedMs - this.startedMs, tokens.output ?? 0);
      return;
    }
    const each = (tokens.output ?? outputEvents) / outputEvents;
    for (let index = 0; index < kept; index++) {
      const at = plannedMs + (outputOffsetsMs[index] ?? 0);
      add(this.outputTokens, at, each);
      add(this.outputEvents, at, 1);
    }
    const beyond = outputEvents - kept;
    if (beyond > 0) add(this.outputTokens, exchange.times.endedMs - this.startedMs, beyond * each);
  }
}

/** Sum of a binned count over [fromMs, toMs), which lie on bins. */
export function sumBetween(bins: readonly number[], fromMs: number, toMs: number): number {
  let sum = 0;
  const to = Math.round(toMs / BIN_MS);
  for (let bin = Math.round(fromMs / BIN_MS); bin < to; bin++) sum += bins[bin] ?? 0;
  return sum;
}

/** A binned count over [fromMs, toMs) as one number per bin. */
export function binsBetween(bins: readonly number[], fromMs: number, toMs: number): Float64Array {
  const from = Math.round(fromMs / BIN_MS);
  const length = Math.max(0, Math.round(toMs / BIN_MS) - from);
  return Float64Array.from({ length }, (_, index) => bins[from + index] ?? 0);
}

function add(bins: number[], atMs: number, count: number): void {
  const bin = Math.max(0, Math.floor(atMs / BIN_MS));
  while (bins.length <= bin) bins.push(0);
  bins[bin] = (bins[bin] ?? 0) + count;
}
