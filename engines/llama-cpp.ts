import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Engine, EngineStats } from "./engine.ts";
import { readExposition, sumOf } from "./exposition.ts";
import { jsonOf, modelList, recogniseByOwner } from "./recognition.ts";

/** llama.cpp (`llama-server`). Frames, slots and metrics: tools/server/{server-task,server-context}.cpp. */
export const llamaCpp: Engine = {
  name: "llama.cpp",
  recognise(probe) {
    const props = jsonOf(probe.get("/props"));
    const build = props?.["build_info"];
    const version = typeof build === "string" ? build : null;
    const byOwner = recogniseByOwner(probe, "llama.cpp", ["llamacpp"]);
    if (byOwner !== null) return { ...byOwner, version };
    // While a model loads every route answers 503, but the server header already tells.
    const named = [...probe.values()].find((answer) => answer.headers["server"] === "llama.cpp");
    if (named === undefined) return null;
    const because = `the server header says "llama.cpp" (${named.path})`;
    return {
      engine: "llama.cpp",
      confidence: 0.95,
      version,
      models: modelList(probe).models,
      because,
    };
  },
  stats: {
    // The metrics page resets its windows on each read, so the slots are asked first.
    paths: ["/slots", "/metrics"],
    read: (path, body) => (path === "/slots" ? readSlots(body) : readMetrics(body)),
  },
  readDelta: readEventDelta,
  readAnswer: readAnswerDelta,
  // There is no min_tokens; ignoring the end of sequence makes max_tokens exact.
  forceLength: (body, tokens) => ({
    ...body,
    max_tokens: tokens,
    ignore_eos: true,
    cache_prompt: false,
  }),
  paths: {
    health: "/health",
    tokenize: "/tokenize",
    control: ["/slots", "/props", "/lora-adapters", "/models/load", "/models/unload", "/v1/stream"],
  },
};

function readSlots(body: string): EngineStats | null {
  let slots: unknown;
  try {
    slots = JSON.parse(body);
  } catch {
    return null;
  }
  if (!Array.isArray(slots)) return null;
  const all = slots as readonly Record<string, unknown>[];
  const busy = all.filter((slot) => slot["is_processing"] === true).length;
  return { ...NO_STATS, running: busy, maxSequences: all.length };
}

function readMetrics(body: string): EngineStats | null {
  const samples = readExposition(body);
  const running = sumOf(samples, "llamacpp:requests_processing");
  if (running === null) return null;
  const processed = sumOf(samples, "llamacpp:prompt_tokens_total");
  const cached = sumOf(samples, "llamacpp:prompt_tokens_cached_total");
  return {
    ...NO_STATS,
    running,
    waiting: sumOf(samples, "llamacpp:requests_deferred"),
    prefixQueryTokens: processed === null || cached === null ? null : processed + cached,
    prefixHitTokens: cached,
    promptTokens: processed,
    generationTokens: sumOf(samples, "llamacpp:tokens_predicted_total"),
  };
}
