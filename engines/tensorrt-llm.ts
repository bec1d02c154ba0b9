import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine, EngineStats } from "./engine.ts";
import { labelOf, maxOf, readExposition, sumOf } from "./exposition.ts";
import { minMaxLength } from "./forced-length.ts";
import { OPENAI_ROUTES } from "./inference-routes.ts";
import { recogniseByOwner, versionOf } from "./recognition.ts";
import { tokenizeCall } from "./tokenizers.ts";

/**
 * TensorRT-LLM (`trtllm-serve`). Its request schema is strict: a field it does not know is a 400,
 * so nothing is ever added that is not listed in tensorrt_llm/serve/openai_protocol.py.
 */
export const tensorrtLlm: Engine = {
  name: "tensorrt-llm",
  probes: ["/version"],
  recognise: (probe) =>
    recogniseByOwner(probe, {
      engine: "tensorrt-llm",
      owners: ["tensorrt_llm"],
      ownPaths: ["/version"],
      version: versionOf(probe, "/version"),
    }),
  stats: {
    // /metrics is JSON there and a read drains it: another reader's data would be lost. Never asked.
    paths: ["/prometheus/metrics"],
    read: (_path, body) => readMetrics(body),
  },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: minMaxLength,
  tokenizer: {
    // `count` and `tokens` come back; the schema takes nothing but the prompt.
    tokenize: tokenizeCall("/_internal/tokenize", (prompt) => ({ prompt })),
    detokenize: null,
  },
  promptOfTokens: (tokens) => ({ prompt: tokens }),
  abort: {
    streamedMs: 1000,
    wholeMs: 1000,
    survivesWith: [],
    note: "Looks once a second whether its client is still there, streamed or not.",
  },
  // tensorrt_llm/serve/openai_protocol.py StreamOptions: include_usage is true unless said otherwise.
  usageWhen: "any-options",
  paths: {
    health: "/health",
    inference: { ...OPENAI_ROUTES, "/_internal/tokenize": "tokenize" },
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
      "/v1/data_transceiver_state",
    ],
  },
};

/**
 * Names carry the prefix `trtllm_` since the 1.3 line; before it five histograms stood without one, their labels
 * `undefined` (tensorrt_llm/metrics/collector.py). The gauges move only when a request finishes.
 */
function readMetrics(body: string): EngineStats | null {
  const samples = readExposition(body);
  const sum = (name: string): number | null => sumOf(samples, `trtllm_${name}`, name);
  const max = (name: string): number | null => maxOf(samples, `trtllm_${name}`, name);
  const running = sum("num_requests_running");
  const generationTokens = sum("generation_tokens_total");
  const finished = sum("request_success_total") ?? sum("e2e_request_latency_seconds_count");
  if (running === null && generationTokens === null && finished === null) return null;
  const reused = sum("kv_cache_reused_blocks_total");
  const missed = sum("kv_cache_missed_blocks_total");
  const blockTokens = max("kv_cache_tokens_per_block");
  const tokensOf = (count: number | null): number | null =>
    count === null || blockTokens === null ? null : count * blockTokens;
  const longest = Number(labelOf(samples, "trtllm_model_config_info", "max_model_len"));
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
    kvCapacityTokens: tokensOf(sum("kv_cache_max_blocks")),
    maxModelLen: longest > 0 ? longest : null,
  };
}
