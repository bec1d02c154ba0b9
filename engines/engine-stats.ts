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
};
