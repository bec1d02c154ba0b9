import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine, EngineStats } from "./engine.ts";
import { maxOf, readExposition, sumOf } from "./exposition.ts";
import { recogniseByOwner } from "./recognition.ts";

/**
 * TensorRT-LLM (`trtllm-serve`). Its request schema is strict: a field it does not know is a 400,
 * so nothing is ever added that is not listed in tensorrt_llm/serve/openai_protocol.py.
 */
export const tensorrtLlm: Engine = {
  name: "tensorrt-llm",
  recognise: (probe) => recogniseByOwner(probe, "tensorrt-llm", ["tensorrt_llm"]),
  stats: {
    // /metrics is JSON there and a read drains it: another reader's data would be lost. Never asked.
    paths: ["/prometheus/metrics"],
    read: (_path, body) => readMetrics(body),
  },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: (body, tokens) => ({
    ...body,
    max_tokens: tokens,
    min_tokens: tokens,
    ignore_eos: true,
  }),
  paths: {
    health: "/health",
    tokenize: null,
    control: [
      "/release_memory",
      "/resume_memory",
      "/update_weights",
      "/kv_cache_events",
      "/perf_metrics",
      "/energy_metrics",
      "/steady_clock_offset",
      "/server_info",
      "/_resource_governor",
      "/_internal",
      "/metrics",
    ],
  },
};

function readMetrics(body: string): EngineStats | null {
  const samples = readExposition(body);
  const sum = (name: string): number | null => sumOf(samples, `trtllm_${name}`, name);
  const max = (name: string): number | null => maxOf(samples, `trtllm_${name}`, name);
  const running = sum("num_requests_running");
  const generationTokens = sum("generation_tokens_total");
  if (running === null && generationTokens === null) return null;
  const reused = sum("kv_cache_reused_blocks_total");
  const missed = sum("kv_cache_missed_blocks_total");
  const blockTokens = max("kv_cache_tokens_per_block");
  const blocks = sum("kv_cache_max_blocks");
  const tokensOf = (count: number | null): number | null =>
    count === null || blockTokens === null ? null : count * blockTokens;
  return {
    ...NO_STATS,
    running,
    waiting: sum("num_requests_waiting"),
    kvCacheUsageRatio: max("kv_cache_utilization"),
    prefixQueryTokens: reused === null || missed === null ? null : tokensOf(reused + missed),
    prefixHitTokens: tokensOf(reused),
    promptTokens: sum("prompt_tokens_total"),
    generationTokens,
    maxSequences: max("max_num_active_requests"),
    kvCapacityTokens: tokensOf(blocks),
  };
}
