import {
  type Exchange,
  e2eMs,
  ttfbMs as firstByteOf,
  tpotMs as perTokenOf,
  ttftMs as firstTokenOf,
} from "../../engines/exchange.ts";
import type { LatencyName } from "./options.ts";
import { Sketch } from "./sketch.ts";

/** One ended exchange with everything derived from it, worked out once for all who count. */
export interface Fact {
  readonly exchange: Exchange;
  /** The model as a label: as asked for when a replica serves it, else `other`. */
  readonly model: string;
  readonly ttftMs: number | null;
  readonly ttfbMs: number | null;
  readonly tpotMs: number | null;
  /** Of completed exchanges only: the time of a failure says nothing about answers. */
  readonly e2eMs: number | null;
  /** Between the whole request in hand and the first try at a replica. */
  readonly queueMs: number | null;
  /** Time in the proxy before anything was written upstream, of requests that were tried once. */
  readonly overheadMs: number | null;
  /** Longest gap inside the answer. */
  readonly stallMs: number | null;
  /** Gaps per token, weighted by tokens. Valid only until the next exchange is folded: the room is used again. */
  readonly itl: Sketch;
}

/** Turns exchanges into facts, one at a time, in one reused scratch. */
export class FactReader {
  readonly #itl = new Sketch();

  read(exchange: Exchange, model: string): Fact {
    const { receivedMs, routedMs } = exchange.times;
    const firstTryMs = exchange.attempts[0]?.startedMs ?? routedMs;
    const isFirstTry = exchange.attempts.length === 1;
    return {
      exchange,
      model,
      ttftMs: firstTokenOf(exchange),
      ttfbMs: firstByteOf(exchange),
      tpotMs: perTokenOf(exchange),
      e2eMs: exchange.outcome.kind === "completed" ? e2eMs(exchange) : null,
      queueMs: receivedMs === null || firstTryMs === null ? null : firstTryMs - receivedMs,
      overheadMs:
        receivedMs === null || routedMs === null || !isFirstTry ? null : routedMs - receivedMs,
      stallMs: this.#gaps(exchange),
      itl: this.#itl,
    };
  }

  /**
   * Spreads each gap between output events over the tokens it brought, so that an event of four tokens is four quick
   * tokens and not one slow one. Whole weights that add up to the tokens counted. Returns the longest gap.
   */
  #gaps(exchange: Exchange): number | null {
    this.#itl.clear();
    const { outputOffsetsMs: offsets, outputEvents, tokens } = exchange;
    if (offsets.length < 2 || !exchange.streamed) return null;
    const perEvent = Math.max(1, (tokens.output ?? outputEvents) / outputEvents);
    let longestMs = 0;
    let before = offsets[0] ?? 0;
    for (let index = 1; index < offsets.length; index++) {
      const offset = offsets[index] ?? before;
      const gapMs = Math.max(0, offset - before);
      const weight = Math.round(perEvent * (index + 1)) - Math.round(perEvent * index);
      this.#itl.add(gapMs / perEvent, weight);
      if (gapMs > longestMs) longestMs = gapMs;
      before = offset;
    }
    return longestMs;
  }
}

/** Latency of a fact by the name promises use; `null` where it does not apply. */
export function latencyOf(fact: Fact, name: LatencyName): number | null {
  return fact[`${name}Ms`];
}
