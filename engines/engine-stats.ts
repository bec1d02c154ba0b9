import type { EngineStats } from "./engine.ts";

/** Statistics of an engine that tells nothing: the start each dialect fills in. */
export const NO_STATS: EngineStats = {
  running: null,
  waiting: null,
  kvCacheUsageRatio: null,
  prefixQueryTokens: null,
  prefixHitTokens: null,
  preemptions: null,
  promptTokens: null,
  generationTokens: null,
  maxSequences: null,
  kvCapacityTokens: null,
  waitingTokens: null,
  version: null,
  maxModelLen: null,
  asleep: null,
  snapshotAtMs: null,
};

/** What the first page left open is filled in from the second. */
export function fillStats(first: EngineStats, second: EngineStats): EngineStats {
  const filled = Object.entries(second).filter(
    ([name]) => first[name as keyof EngineStats] === null,
  );
  return { ...first, ...Object.fromEntries(filled) };
}

/** Frozen statistics: what moves with the load is not known, what is fixed stays. */
export function withoutLoad(stats: EngineStats): EngineStats {
  return { ...stats, running: null, waiting: null, kvCacheUsageRatio: null, waitingTokens: null };
}
