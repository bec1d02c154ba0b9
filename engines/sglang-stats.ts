import { NO_STATS } from "./engine-stats.ts";
import type { EngineStats } from "./engine.ts";
import { maxOf, readExposition, type Sample, sumOf } from "./exposition.ts";
import { type Fields, listOf, numberOf, parseFields, textOf } from "./json-fields.ts";

/**
 * Reads `/v1/loads?include=core` (python/sglang/srt/managers/load_snapshot.py): one entry per data-parallel rank, as
 * old as the rank's last prefill, idle moment or fifteenth decode step. The page's own timestamp is always now.
 */
export function readSglangLoads(body: string): EngineStats | null {
  const page = parseFields(body);
  const ranks = listOf(page?.["loads"]);
  if (ranks.length === 0 || numberOf(ranks[0]?.["num_running_reqs"]) === null) return null;
  const values = (name: string): number[] =>
    ranks.map((rank) => numberOf(rank[name])).filter((value) => value !== null);
  const sum = (name: string): number | null =>
    values(name).length === 0 ? null : values(name).reduce((total, value) => total + value, 0);
  const usage = values("token_usage");
  const times = ranks.map(secondsOf).filter((seconds) => seconds !== null);
  return {
    ...NO_STATS,
    running: sum("num_running_reqs"),
    waiting: sum("num_waiting_reqs"),
    kvCacheUsageRatio: usage.length === 0 ? null : Math.max(...usage),
    maxSequences: sum("max_running_requests"),
    kvCapacityTokens: sum("max_total_num_tokens"),
    waitingTokens: sum("num_waiting_uncached_tokens"),
    version: textOf(page?.["version"]),
    // The oldest rank is how old the whole is.
    snapshotAtMs: times.length === 0 ? null : Math.min(...times) * 1000,
  };
}

/** A rank's own timestamp: left out by some versions, seconds or ISO text in the others. */
function secondsOf(rank: Fields): number | null {
  const stamp = rank["timestamp"];
  if (typeof stamp !== "string") return numberOf(stamp);
  const ms = Date.parse(stamp);
  return Number.isNaN(ms) ? null : ms / 1000;
}

/** Reads `/metrics` (--enable-metrics). Dashboards shipped with the engine write `sglang_` for the same names. */
export function readSglangMetrics(body: string): EngineStats | null {
  const samples = readExposition(body);
  const names = (name: string): [string, string] => [`sglang:${name}`, `sglang_${name}`];
  // With priority scheduling the total carries priority="" and the classes add up to it again.
  const whole = samples.filter((sample) => (sample.labels["priority"] ?? "") === "");
  const running = sumOf(whole, ...names("num_running_reqs"));
  if (running === null) return null;
  const byMode = (wanted: (mode: string) => boolean): number | null =>
    sumOf(
      samples.filter((sample) => wanted(sample.labels["mode"] ?? "")),
      ...names("prefill_effective_tokens_total"),
    );
  return {
    ...NO_STATS,
    running,
    waiting: sumOf(whole, ...names("num_queue_reqs")),
    kvCacheUsageRatio: maxOf(samples, ...names("token_usage")),
    prefixQueryTokens: byMode(() => true),
    prefixHitTokens: byMode((mode) => mode.endsWith("_hit")),
    preemptions: sumOf(samples, ...names("num_retracted_requests_total")),
    promptTokens: sumOf(samples, ...names("prompt_tokens_total")),
    generationTokens: generated(samples),
    kvCapacityTokens: sumOf(samples, ...names("max_total_num_tokens")),
    maxModelLen: maxOf(samples, ...names("context_len")),
  };
}

/** Counted at each decode step where the version does, first tokens left out; else only when a request finishes. */
function generated(samples: readonly Sample[]): number | null {
  const decoded = samples.filter((sample) => sample.labels["mode"] === "decode");
  return (
    sumOf(decoded, "sglang:realtime_tokens_total", "sglang_realtime_tokens_total") ??
    sumOf(samples, "sglang:generation_tokens_total", "sglang_generation_tokens_total")
  );
}
