import { exposeAll } from "../latency-histograms.ts";
import {
  type Answer,
  type Counts,
  DONE,
  event,
  jsonPage,
  type Page,
  type Persona,
  type Site,
  textPage,
  usageOf,
} from "./persona.ts";

const BUILD = "b10573-3f545bec";

/** llama-server (tools/server/server-task.cpp, started with --metrics). */
export const llamaCpp: Persona = {
  name: "llama.cpp",
  server: "llama.cpp",
  chat: {
    open: (answer) => chunk(answer, { role: "assistant", content: null }, null),
    token: (answer, text) => chunk(answer, { content: text }, null),
    last: (answer, text, reason) =>
      chunk(answer, { content: text }, null) + chunk(answer, {}, reason),
    usage: (answer, counts) =>
      event({
        choices: [],
        ...tail(answer, "chat.completion.chunk"),
        usage: fullUsage(counts),
        timings: timings(counts),
      }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      choices: [{ finish_reason: reason, index: 0, message: { role: "assistant", content: text } }],
      ...tail(answer, "chat.completion"),
      usage: fullUsage(counts),
      timings: timings(counts),
    }),
  },
  completions: {
    open: () => "",
    token: (answer, text) => textChunk(answer, text, null, null),
    last: (answer, text, reason, usage) =>
      textChunk(answer, text, null, null) + textChunk(answer, "", reason, usage),
    usage: () => "",
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      choices: [{ text, index: 0, logprobs: null, finish_reason: reason }],
      ...tail(answer, "text_completion"),
      usage: fullUsage(counts),
      timings: timings(counts),
    }),
  },
  wantsUsage: (options) => options?.include_usage === true,
  headersWithFirstToken: false,
  abortAfterMs: { streamed: 0, whole: 0 },
  streamHeaders: { "x-accel-buffering": "no" },
  checksModel: false,
  strictFields: null,
  error: (status, message) => ({
    error: { code: status, message, type: ERROR_TYPES[status] ?? "invalid_request_error" },
  }),
  pages: (site) => ({
    "/v1/models": () => models(site),
    "/models": () => models(site),
    "/health": () => jsonPage({ status: "ok" }),
    "/v1/health": () => jsonPage({ status: "ok" }),
    "/props": () =>
      jsonPage({
        default_generation_settings: { params: {}, n_ctx: site.contextTokens },
        total_slots: site.sequencesMax,
        model_alias: site.model,
        model_path: `/models/${site.model}.gguf`,
        modalities: { vision: false, audio: false },
        endpoint_slots: true,
        endpoint_props: false,
        endpoint_metrics: true,
        chat_template: "",
        build_info: BUILD,
        is_sleeping: false,
      }),
    "/slots": () => slots(site),
    "/metrics": () => metrics(site),
  }),
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  404: "not_found_error",
  500: "server_error",
  501: "not_supported_error",
  503: "unavailable_error",
};

function tail(
  answer: Answer,
  object: string,
): { created: number; id: string; model: string; system_fingerprint: string; object: string } {
  return {
    created: answer.created,
    id: answer.id,
    model: answer.model,
    system_fingerprint: BUILD,
    object,
  };
}

function chunk(answer: Answer, delta: object, reason: string | null): string {
  return event({
    choices: [{ finish_reason: reason, index: 0, delta }],
    ...tail(answer, "chat.completion.chunk"),
  });
}

function textChunk(
  answer: Answer,
  text: string,
  reason: string | null,
  usage: Counts | null,
): string {
  const rest = usage === null ? {} : { usage: fullUsage(usage), timings: timings(usage) };
  return event({
    choices: [{ text, index: 0, logprobs: null, finish_reason: reason }],
    ...tail(answer, "text_completion"),
    ...rest,
  });
}

function fullUsage(counts: Counts): {
  completion_tokens: number;
  prompt_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
} {
  return { ...usageOf(counts), prompt_tokens_details: { cached_tokens: counts.cached } };
}

function timings(counts: Counts): { cache_n: number; prompt_n: number; predicted_n: number } {
  return {
    cache_n: counts.cached,
    prompt_n: counts.input - counts.cached,
    predicted_n: counts.output,
  };
}

function models(site: Site): Page {
  const card = {
    id: site.model,
    aliases: [],
    tags: [],
    object: "model",
    created: site.nowSeconds(),
    owned_by: "llamacpp",
    meta: {
      vocab_type: 2,
      n_vocab: 128_256,
      n_ctx: site.contextTokens,
      n_ctx_train: site.contextTokens,
      n_embd: 4096,
      n_params: 8_030_261_248,
      size: 8_535_000_000,
    },
  };
  return jsonPage({
    models: [
      {
        name: site.model,
        model: site.model,
        type: "model",
        capabilities: ["completion"],
        details: { format: "gguf" },
      },
    ],
    object: "list",
    data: [card],
  });
}

function slots(site: Site): Page {
  const { running } = site.stats();
  return jsonPage(
    Array.from({ length: site.sequencesMax }, (_, id) => ({
      id,
      n_ctx: site.contextTokens,
      speculative: false,
      is_processing: id < running,
    })),
  );
}

function metrics(site: Site): Page {
  const stats = site.stats();
  return textPage(
    exposeAll([
      ["llamacpp:prompt_tokens_total", "counter", stats.promptTokens - stats.cachedTokens, ""],
      ["llamacpp:prompt_tokens_cached_total", "counter", stats.cachedTokens, ""],
      ["llamacpp:tokens_predicted_total", "counter", stats.outputTokens, ""],
      ["llamacpp:n_decode_total", "counter", stats.steps, ""],
      ["llamacpp:requests_processing", "gauge", stats.running, ""],
      ["llamacpp:requests_deferred", "gauge", stats.waiting, ""],
    ]),
    "text/plain; version=0.0.4",
  );
}
