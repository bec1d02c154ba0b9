import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine, EngineStats } from "./engine.ts";
import { maxOf, readExposition, type Sample, sumOf } from "./exposition.ts";
import { minMaxLength } from "./forced-length.ts";
import { MESSAGES_ROUTES, OPENAI_ROUTES } from "./inference-routes.ts";
import { recogniseByOwner, versionOf } from "./recognition.ts";
import { detokenizeCall, tokenizeCall } from "./tokenizers.ts";

/**
 * vLLM (`vllm serve`), Python and Rust front ends.
 * Frames: vllm/entrypoints/openai/chat_completion/serving.py; metrics: vllm/v1/metrics/loggers.py.
 */
export const vllm: Engine = {
  name: "vllm",
  probes: ["/version"],
  recognise: (probe) =>
    recogniseByOwner(probe, {
      engine: "vllm",
      owners: ["vllm", "vllm-frontend-rs"],
      ownPaths: ["/version"],
      version: versionOf(probe, "/version"),
    }),
  stats: { paths: ["/metrics"], read: (_path, body) => readMetrics(readExposition(body)) },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: minMaxLength,
  tokenizer: {
    tokenize: tokenizeCall("/tokenize", (prompt, model) => ({
      model,
      prompt,
      add_special_tokens: false,
    })),
    detokenize: detokenizeCall("/detokenize", "prompt", (tokens, model) => ({ model, tokens })),
  },
  // Taken as they are: no begin mark is added.
  promptOfTokens: (tokens) => ({ prompt: tokens }),
  abort: {
    streamedMs: 0,
    wholeMs: 0,
    survivesWith: [],
    note: "Stops at once when the socket closes, streamed or not; a function-style --middleware breaks that.",
  },
  // vllm/entrypoints/openai/chat_completion/serving.py: without it, or without usage forced by the server, there is none.
  usageWhen: "asked",
  paths: {
    health: "/health",
    inference: {
      ...OPENAI_ROUTES,
      ...MESSAGES_ROUTES,
      "/v1/rerank": "rerank",
      "/v2/rerank": "rerank",
      "/rerank": "rerank",
      "/v1/score": "rerank",
      "/score": "rerank",
      "/tokenize": "tokenize",
      "/detokenize": "tokenize",
    },
    control: [
      "/sleep",
      "/wake_up",
      "/is_sleeping",
      "/pause",
      "/resume",
      "/is_paused",
      "/reset_prefix_cache",
      "/reset_mm_cache",
      "/reset_encoder_cache",
      "/collective_rpc",
      "/abort_requests",
      "/start_profile",
      "/stop_profile",
      "/scale_elastic_ep",
      "/is_scaling_elastic_ep",
      "/fault_tolerance",
      "/server_info",
      "/v1/load_lora_adapter",
      "/v1/unload_lora_adapter",
    ],
  },
};

/** Data-parallel ranks are label sets of their own (`engine`): counts add up, ratios do not. */
function readMetrics(samples: readonly Sample[]): EngineStats | null {
  const running = sumOf(samples, "vllm:num_requests_running");
  if (running === null) return null;
  const awake = samples.find(
    ({ name, labels }) => name === "vllm:engine_sleep_state" && labels["sleep_state"] === "awake",
  );
  return {
    ...NO_STATS,
    running,
    waiting: sumOf(samples, "vllm:num_requests_waiting"),
    // Renamed in November 2025; a ratio despite its name.
    kvCacheUsageRatio: maxOf(samples, "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    prefixQueryTokens: sumOf(
      samples,
      "vllm:prefix_cache_queries_total",
      "vllm:gpu_prefix_cache_queries_total",
    ),
    prefixHitTokens: sumOf(
      samples,
      "vllm:prefix_cache_hits_total",
      "vllm:gpu_prefix_cache_hits_total",
    ),
    preemptions: sumOf(samples, "vllm:num_preemptions_total"),
    promptTokens: sumOf(samples, "vllm:prompt_tokens_total"),
    generationTokens: sumOf(samples, "vllm:generation_tokens_total"),
    kvCapacityTokens: capacityOf(samples),
    asleep: awake === undefined ? null : awake.value === 0,
  };
}

/** Blocks and their size are labels of a gauge that is always 1. */
function capacityOf(samples: readonly Sample[]): number | null {
  let tokens: number | null = null;
  for (const { name, labels } of samples) {
    if (name !== "vllm:cache_config_info") continue;
    const capacity = Number(labels["num_gpu_blocks"]) * Number(labels["block_size"]);
    if (Number.isFinite(capacity)) tokens = (tokens ?? 0) + capacity;
  }
  return tokens;
}
