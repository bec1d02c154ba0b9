import { fillStats } from "./engine-stats.ts";
import type { EngineStats, StatsSource } from "./engine.ts";
import type { ProbeGet } from "./identify.ts";

/** A page that is not there is asked for again this much later: flags are set at the engine's start. */
const MISSING_FOR_MS = 60_000;
/** Statistics that stood still this long while our own requests came and went are not this moment's. */
const FROZEN_AFTER_MS = 5_000;

/** One reading of an engine's statistics, with what can be said of their age. */
export interface StatsReading {
  readonly stats: EngineStats;
  readonly readAtMs: number;
  /** When any of them last moved; of an idle engine that may be long ago and still be right. */
  readonly movedAtMs: number;
  /** They contradict what we see: not to be routed by. */
  readonly frozen: boolean;
  /** Counters went backwards: the engine restarted since the reading before. */
  readonly restarted: boolean;
  /** Why they are frozen, in words; empty when they are not. */
  readonly because: string;
}

/**
 * Reads one engine's statistics again and again and tells whether they live. Gauges freeze: SGLang's by up to 30 s
 * after going idle (sgl-project/sglang#26495), TensorRT-LLM's for as long as no request finishes. The clock is the
 * caller's; the engine's own timestamps are compared only with themselves.
 */
export class StatsReader {
  readonly #source: StatsSource;
  readonly #get: ProbeGet;
  readonly #missingUntilMs = new Map<string, number>();
  #last: EngineStats | null = null;
  #movedAtMs = 0;
  /** Our own requests in flight when the statistics last moved, and whether that changed since. */
  #inFlightThen = 0;
  #workedSinceMs: number | null = null;

  constructor(source: StatsSource, get: ProbeGet) {
    this.#source = source;
    this.#get = get;
  }

  /** Reads all pages that exist; `null` when none could be read. `inFlight` is what the caller has running there. */
  async read(nowMs: number, inFlight: number, signal: AbortSignal): Promise<StatsReading | null> {
    let stats: EngineStats | null = null;
    for (const path of this.#source.paths) {
      if (nowMs < (this.#missingUntilMs.get(path) ?? 0)) continue;
      const answer = await this.#get(path, signal);
      const page = answer.status === 200 ? this.#source.read(path, answer.body) : null;
      if (page !== null) stats = stats === null ? page : fillStats(stats, page);
      // Not there, not allowed or not switched on (llama.cpp answers 501): no need to ask each second.
      else if (answer.status >= 400 && answer.status !== 503)
        this.#missingUntilMs.set(path, nowMs + MISSING_FOR_MS);
    }
    return stats === null ? null : this.#judge(stats, nowMs, inFlight);
  }

  #judge(stats: EngineStats, nowMs: number, inFlight: number): StatsReading {
    const last = this.#last;
    const restarted = last !== null && wentBack(last, stats);
    if (last === null || !sameStats(last, stats)) {
      this.#movedAtMs = nowMs;
      this.#inFlightThen = inFlight;
      this.#workedSinceMs = null;
    } else if (inFlight !== this.#inFlightThen || (inFlight > 0 && stats.running === 0)) {
      this.#workedSinceMs ??= nowMs;
    }
    this.#last = stats;
    const since = this.#workedSinceMs;
    const frozen = since !== null && nowMs - since >= FROZEN_AFTER_MS;
    const because = frozen
      ? `nothing it reports moved for ${Math.round((nowMs - this.#movedAtMs) / 1000)} s while our requests came and went`
      : "";
    return { stats, readAtMs: nowMs, movedAtMs: this.#movedAtMs, frozen, restarted, because };
  }
}

function sameStats(a: EngineStats, b: EngineStats): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof EngineStats] === value);
}

/** Counters only ever grow within one life of the engine. */
function wentBack(before: EngineStats, after: EngineStats): boolean {
  const counters = [
    "generationTokens",
    "promptTokens",
    "prefixQueryTokens",
    "preemptions",
  ] as const;
  return counters.some((name) => (after[name] ?? Infinity) < (before[name] ?? 0));
}
