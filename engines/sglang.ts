import { readAnswerDelta, readEventDelta } from "./delta.ts";
import type { Engine } from "./engine.ts";
import { minMaxLength } from "./forced-length.ts";
import { MESSAGES_ROUTES, OPENAI_ROUTES } from "./inference-routes.ts";
import { recogniseByOwner, versionOf } from "./recognition.ts";
import { readSglangLoads, readSglangMetrics } from "./sglang-stats.ts";
import { detokenizeCall, tokenizeCall } from "./tokenizers.ts";

/**
 * SGLang (`sglang.launch_server`).
 * Frames: python/sglang/srt/entrypoints/openai; load: entrypoints/v1_loads.py;
 * metrics: observability/metrics_collector.py.
 */
export const sglang: Engine = {
  name: "sglang",
  // The second is the name the first had before it lost its verb, and its alias since.
  probes: ["/server_info", "/get_server_info"],
  recognise: (probe) =>
    recogniseByOwner(probe, {
      engine: "sglang",
      owners: ["sglang"],
      ownPaths: ["/server_info", "/get_server_info"],
      version: versionOf(probe, "/server_info", "/get_server_info"),
    }),
  stats: {
    // The snapshot needs no flag; the metrics page, with its counters, exists only under --enable-metrics.
    paths: ["/v1/loads?include=core", "/metrics"],
    read: (path, body) =>
      path.startsWith("/v1/loads") ? readSglangLoads(body) : readSglangMetrics(body),
  },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  forceLength: minMaxLength,
  tokenizer: {
    tokenize: tokenizeCall("/tokenize", (prompt, model) => ({
      model,
      prompt,
      add_special_tokens: false,
    })),
    detokenize: detokenizeCall("/detokenize", "text", (tokens, model) => ({ model, tokens })),
  },
  promptOfTokens: (tokens) => ({ prompt: tokens }),
  abort: {
    streamedMs: 2000,
    wholeMs: 4000,
    survivesWith: [],
    note: "A stream is aborted 2 s after it broke off; a queued or unstreamed request is looked at every 4 s.",
  },
  usageWhen: "asked",
  paths: {
    // /health generates a token and takes at least a second; /ping is shallow and always there.
    health: "/ping",
    inference: {
      ...OPENAI_ROUTES,
      ...MESSAGES_ROUTES,
      "/v1/rerank": "rerank",
      "/v1/score": "rerank",
      "/v1/tokenize": "tokenize",
      "/v1/detokenize": "tokenize",
      "/tokenize": "tokenize",
      "/detokenize": "tokenize",
    },
    control: [
      "/flush_cache",
      "/abort_request",
      "/pause_generation",
      "/continue_generation",
      "/start_profile",
      "/stop_profile",
      "/release_memory_occupation",
      "/resume_memory_occupation",
      "/load_lora_adapter",
      "/unload_lora_adapter",
      "/update_weights",
      "/init_weights",
      "/get_weights",
      "/set_internal_state",
      "/freeze_gc",
      "/slow_down",
      "/configure_logging",
      "/hicache",
      "/open_session",
      "/close_session",
      "/server_info",
      "/get_server_info",
      "/v1/loads",
    ],
  },
};
