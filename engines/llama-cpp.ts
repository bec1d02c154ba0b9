import { readAnswerDelta, readEventDelta } from "./delta.ts";
import { NO_STATS } from "./engine-stats.ts";
import type { Delta, Engine, EngineStats, ProbeAnswers, Recognition } from "./engine.ts";
import type { InferenceRoute } from "./exchange.ts";
import { readExposition, sumOf } from "./exposition.ts";
import { withLength } from "./forced-length.ts";
import { MESSAGES_ROUTES, OPENAI_ROUTES } from "./inference-routes.ts";
import { fieldsOf, listOf, numberOf, parseFields, textOf } from "./json-fields.ts";
import { jsonOf, MODELS_PATH, modelList, recogniseByOwner } from "./recognition.ts";
import { detokenizeCall, tokenizeCall } from "./tokenizers.ts";

/** llama.cpp (`llama-server`). Frames, slots and metrics: tools/server/{server-task,server-context}.cpp. */
export const llamaCpp: Engine = {
  name: "llama.cpp",
  probes: ["/props"],
  recognise(probe) {
    const version = textOf(jsonOf(probe.get("/props"))?.["build_info"]);
    return (
      recogniseByOwner(probe, {
        engine: "llama.cpp",
        owners: ["llamacpp"],
        ownPaths: ["/props"],
        version,
      }) ?? recogniseByHeader(probe, version)
    );
  },
  stats: {
    // Slots tell how many there are and which work; only the metrics page (--metrics) tells who waits. Reading it
    // resets its two speed gauges, which are not used here.
    paths: ["/slots", "/metrics"],
    read: (path, body) => (path === "/slots" ? readSlots(body) : readMetrics(body)),
  },
  readDelta: (event, route) => ({ ...readEventDelta(event, route), addsUp: isPerChoice(route) }),
  readAnswer(body, route) {
    const delta = readAnswerDelta(body, route);
    return isPerChoice(route) && choicesOf(body) > 1 ? withoutOutput(delta) : delta;
  },
  // There is no min_tokens; ignoring the end of sequence makes max_tokens exact.
  forceLength: (body, tokens) => withLength(body, { max_tokens: tokens, ignore_eos: true }),
  tokenizer: {
    tokenize: tokenizeCall("/tokenize", (content) => ({ content, add_special: false })),
    detokenize: detokenizeCall("/detokenize", "content", (tokens) => ({ tokens })),
  },
  promptOfTokens: (tokens) => ({ prompt: tokens }),
  abort: {
    streamedMs: 0,
    wholeMs: 0,
    // tools/server/server-stream.cpp: the answer is kept for replay under this name, so the work goes on.
    survivesWith: ["x-conversation-id"],
    note: "Stops at once when the socket closes, unless the request carried X-Conversation-Id: then it generates to the end.",
  },
  // `timings` count every stream; asked for usage, it would move them into that event (server-task.cpp).
  usageWhen: "unasked",
  paths: {
    health: "/health",
    inference: {
      ...OPENAI_ROUTES,
      ...MESSAGES_ROUTES,
      "/v1/rerank": "rerank",
      "/v1/reranking": "rerank",
      "/rerank": "rerank",
      "/reranking": "rerank",
      "/tokenize": "tokenize",
      "/detokenize": "tokenize",
      "/v1/chat/completions/input_tokens": "tokenize",
      "/v1/responses/input_tokens": "tokenize",
    },
    control: [
      "/slots",
      "/props",
      "/lora-adapters",
      "/models/load",
      "/models/unload",
      "/cors-proxy",
      "/tools",
      // Somebody's kept answer, its listing and its deletion.
      "/v1/stream",
      "/v1/streams",
      "/v1/chat/completions/control",
    ],
  },
};

/** A stream ends each choice with usage of its own (recorded from build 11434 with n = 2). */
function isPerChoice(route: InferenceRoute): boolean {
  return route === "chat" || route === "completions";
}

/** An unstreamed answer of several choices carries the first one's usage alone: the rest is not told. */
function withoutOutput(delta: Delta): Delta {
  const usage = delta.usage === null ? null : { ...delta.usage, outputTokens: null };
  return { ...delta, usage, timings: null };
}

function choicesOf(body: string): number {
  return listOf(parseFields(body)?.["choices"]).length;
}

/** While a model loads every route answers 503, but the server header already tells. */
function recogniseByHeader(probe: ProbeAnswers, version: string | null): Recognition | null {
  const named = [...probe.values()].find((answer) => answer.headers["server"] === "llama.cpp");
  if (named === undefined) return null;
  const { models, ownedBy } = modelList(probe);
  const owner = ownedBy[0];
  const doubt = owner === undefined ? "" : `, though its models are owned by "${owner}"`;
  return {
    engine: "llama.cpp",
    confidence: doubt === "" ? 0.95 : 0.8,
    version,
    models,
    because: `the server header says "llama.cpp" (${named.path})${doubt}`,
    direct: true,
    settled: probe.get(MODELS_PATH)?.status === 200,
  };
}

function readSlots(body: string): EngineStats | null {
  let slots: unknown;
  try {
    slots = JSON.parse(body);
  } catch {
    return null;
  }
  if (!Array.isArray(slots)) return null;
  const all = slots.map(fieldsOf).filter((slot) => slot !== null);
  // Nothing to tell slots by: another program's list.
  if (all.some((slot) => typeof slot["is_processing"] !== "boolean")) return null;
  const busy = all.filter((slot) => slot["is_processing"] === true).length;
  return {
    ...NO_STATS,
    running: busy,
    maxSequences: all.length === 0 ? null : all.length,
    maxModelLen: numberOf(all[0]?.["n_ctx"]),
  };
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
