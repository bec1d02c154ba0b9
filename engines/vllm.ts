import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine } from "./engine.ts";
import { maxOf, readExposition, sumOf } from "./exposition.ts";
import { recogniseByOwner } from "./recognition.ts";

/**
 * vLLM (`vllm serve`), Python and Rust front ends.
 * Frames: vllm/entrypoints/openai/chat_completion/serving.py; metrics: vllm/v1/metrics/loggers.py.
 */
export const vllm: Engine = {
  name: "vllm",
  recognise: (probe) => recogniseByOwner(probe, "vllm", ["vllm", "vllm-frontend-rs"]),
  stats: {
    paths: ["/metrics"],
    read(_path, body) {
      const samples = readExposition(body);
      const running = sumOf(samples, "vllm:num_requests_running");
      if (running === null) return null;
      const cache = samples.find((sample) => sample.name === "vllm:cache_config_info")?.labels;
      const blocks = Number(cache?.["num_gpu_blocks"]) * Number(cache?.["block_size"]);
      return {
        ...NO_STATS,
        running,
        waiting: sumOf(samples, "vllm:num_requests_waiting"),
        // Renamed in November 2025; a ratio despite its name, so ranks are not added.
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
        kvCapacityTokens: Number.isFinite(blocks) ? blocks : null,
      };
    },
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
    tokenize: "/tokenize",
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
