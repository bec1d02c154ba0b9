import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine, EngineStats } from "./engine.ts";
import { maxOf, readExposition, type Sample, sumOf } from "./exposition.ts";
import { jsonOf, recogniseByOwner } from "./recognition.ts";

/**
 * SGLang (`sglang.launch_server`).
 * Frames: python/sglang/srt/entrypoints/openai; load: entrypoints/v1_loads.py;
 * metrics: observability/metrics_collector.py.
 */
export const sglang: Engine = {
  name: "sglang",
  recognise(probe) {
    const byOwner = recogniseByOwner(probe, "sglang", ["sglang"]);
    if (byOwner === null) return null;
    const info = jsonOf(probe.get("/server_info"));
    const version = info?.["version"];
    return { ...byOwner, version: typeof version === "string" ? version : null };
  },
  stats: {
    // The shared-memory snapshot needs no flag; the metrics page exists only with --enable-metrics.
    paths: ["/v1/loads?include=core", "/metrics"],
    read: (path, body) => (path.startsWith("/v1/loads") ? readLoads(body) : readMetrics(body)),
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
    // /health generates a token and takes at least a second; /ping is shallow and always there.
    health: "/ping",
    tokenize: "/tokenize",
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
    ],
  },
};

function readLoads(body: string): EngineStats | null {
  let loads: unknown;
  try {
    loads = (JSON.parse(body) as Record<string, unknown>)["loads"];
  } catch {
    return null;
  }
  if (!Array.isArray(loads) || loads.length === 0) return null;
  const ranks = loads as readonly Record<string, unknown>[];
  const sum = (name: string): number | null => {
    const values = ranks.map((rank) => rank[name]).filter((value) => typeof value === "number");
    return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
  };
  const usage = ranks
    .map((rank) => rank["token_usage"])
    .filter((value) => typeof value === "number");
  return {
    ...NO_STATS,
    running: sum("num_running_reqs"),
    waiting: sum("num_waiting_reqs"),
    kvCacheUsageRatio: usage.length === 0 ? null : Math.max(...usage),
    maxSequences: sum("max_running_requests"),
    kvCapacityTokens: sum("max_total_num_tokens"),
  };
}

function readMetrics(body: string): EngineStats | null {
  const samples = readExposition(body);
  // With priority scheduling the total carries priority="" and the classes add up to it again.
  const total = (name: string): number | null =>
    sumOf(
      samples.filter((sample) => (sample.labels["priority"] ?? "") === ""),
      name,
    );
  const running = total("sglang:num_running_reqs");
  if (running === null) return null;
  const hits = byMode(samples, (mode) => mode.endsWith("_hit"));
  const all = byMode(samples, () => true);
  return {
    ...NO_STATS,
    running,
    waiting: total("sglang:num_queue_reqs"),
    kvCacheUsageRatio: maxOf(samples, "sglang:token_usage"),
    prefixQueryTokens: all,
    prefixHitTokens: hits,
    preemptions: sumOf(samples, "sglang:num_retracted_requests_total"),
    promptTokens: sumOf(samples, "sglang:prompt_tokens_total"),
    generationTokens: sumOf(samples, "sglang:generation_tokens_total"),
    kvCapacityTokens: maxOf(samples, "sglang:max_total_num_tokens"),
  };
}

function byMode(samples: readonly Sample[], wanted: (mode: string) => boolean): number | null {
  return sumOf(
    samples.filter((sample) => wanted(sample.labels["mode"] ?? "")),
    "sglang:prefill_effective_tokens_total",
  );
}
