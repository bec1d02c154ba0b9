import { type Exchange, e2eMs, tpotMs, ttftMs } from "../../engines/exchange.ts";
import type { EndedRow } from "../live/frames.ts";

/** Ended exchanges kept in memory: about a minute of a busy fleet, 50 MiB at the very most. */
export const EXCHANGES_MAX = 2_000;
/** Two decimals of a millisecond: figures, not noise. */
const DECIMALS = 100;

/** The most recently ended exchanges, whole, for the request list and its waterfalls. */
export class ExchangeRing {
  readonly max: number;
  /** Filled once, then the oldest is written over: an end costs one assignment, and who looks for one may search. */
  readonly #kept: Exchange[] = [];
  /** Where the next one goes once all places are taken. */
  #oldest = 0;
  /** Ended since start, kept or not. */
  total = 0;

  constructor(max: number = EXCHANGES_MAX) {
    this.max = max;
  }

  ended(exchange: Exchange): void {
    this.total++;
    if (this.#kept.length < this.max) this.#kept.push(exchange);
    else if (this.max > 0) {
      this.#kept[this.#oldest] = exchange;
      this.#oldest = (this.#oldest + 1) % this.max;
    }
  }

  /** Takes back what an earlier run kept, oldest first, and what it had counted. */
  restore(exchanges: readonly Exchange[], total: number): void {
    for (const exchange of exchanges) this.ended(exchange);
    this.total += total - exchanges.length;
  }

  find(id: string): Exchange | undefined {
    for (const exchange of this.newest()) if (exchange.id === id) return exchange;
    return undefined;
  }

  /** Newest first. */
  *newest(): Iterable<Exchange> {
    const { length } = this.#kept;
    for (let back = 1; back <= length; back++) {
      const exchange = this.#kept[(this.#oldest + length - back) % length];
      if (exchange !== undefined) yield exchange;
    }
  }
}

/** One row of the request list. */
export function endedRow(exchange: Exchange): EndedRow {
  const { outcome, tokens } = exchange;
  return {
    id: exchange.id,
    origin: exchange.origin,
    model: exchange.model,
    replica: exchange.replica,
    client: exchange.client,
    startedMs: rounded(exchange.times.startedMs),
    outcome: outcome.kind,
    detail:
      "code" in outcome ? outcome.code : "phase" in outcome ? outcome.phase : outcome.finishReason,
    status: exchange.status,
    inputTokens: tokens.input,
    cachedInputTokens: tokens.cachedInput,
    outputTokens: tokens.output,
    countedBy: tokens.countedBy,
    ttftMs: roundedOrNull(ttftMs(exchange)),
    tpotMs: roundedOrNull(tpotMs(exchange)),
    e2eMs: rounded(e2eMs(exchange)),
    attempts: exchange.attempts.length,
    traceId: exchange.trace?.traceId ?? null,
  };
}

/** To a hundredth of a millisecond: seventeen digits of a float are noise, and weigh on every frame. */
export function rounded(ms: number): number {
  return Math.round(ms * DECIMALS) / DECIMALS;
}

function roundedOrNull(ms: number | null): number | null {
  return ms === null ? null : rounded(ms);
}
