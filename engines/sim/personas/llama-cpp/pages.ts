import type { JsonObject } from "../../../engine.ts";
import { jsonPage } from "../frame.ts";
import { MetricPage } from "../metric-page.ts";
import type { Page, PageHandler, Site } from "../persona.ts";
import { BUILD } from "./frames.ts";

/** Routes beside inference (tools/server/server.cpp). */
export function pages(site: Site): Readonly<Record<string, PageHandler>> {
  // Averages since the last read: a second reader takes from the first.
  const window = { promptTokens: 0, promptMs: 0, outputTokens: 0, predictedMs: 0 };
  return {
    "GET /v1/models": () => models(site),
    "GET /models": () => models(site),
    "GET /health": () => jsonPage({ status: "ok" }),
    "GET /v1/health": () => jsonPage({ status: "ok" }),
    "GET /props": () => jsonPage(props(site)),
    "GET /slots": ({ query }) => slots(site, query),
    "GET /metrics": () => metrics(site, window),
    "GET /lora-adapters": () => jsonPage([]),
    "POST /tokenize": ({ body }) => tokenize(site, body),
    "POST /detokenize": ({ body }) => {
      const { tokens } = body;
      const ids = Array.isArray(tokens) ? tokens.filter((id) => typeof id === "number") : [];
      return jsonPage({ content: site.vocabulary.detokenize(ids) });
    },
    "POST /v1/chat/completions/input_tokens": ({ body }) =>
      jsonPage({ input_tokens: site.chatIds(body).length }),
    "POST /v1/messages/count_tokens": ({ body }) =>
      jsonPage({ input_tokens: site.chatIds(body).length }),
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
      n_params: Math.round(site.weightBytes / 2),
      size: Math.round(site.weightBytes),
      ftype: "BF16",
    },
  };
  const old = {
    name: site.model,
    model: site.model,
    modified_at: "",
    size: "",
    digest: "",
    type: "model",
    description: "",
    tags: [""],
    capabilities: ["completion"],
    parameters: "",
    details: {
      parent_model: "",
      format: "gguf",
      family: "",
      families: [""],
      parameter_size: "",
      quantization_level: "",
    },
  };
  return jsonPage({ models: [old], object: "list", data: [card] });
}

function props(site: Site): JsonObject {
  return {
    default_generation_settings: {
      params: { n_predict: -1, temperature: 0.8 },
      n_ctx: site.contextTokens,
    },
    total_slots: site.sequencesMax,
    model_alias: site.model,
    model_ftype: "BF16",
    model_path: `/models/${site.model}.gguf`,
    modalities: { vision: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    webui: true,
    chat_template: "",
    bos_token: "<|begin_of_text|>",
    eos_token: "<|eot_id|>",
    build_info: BUILD,
    is_sleeping: false,
  };
}

function slots(site: Site, query: URLSearchParams): Page {
  const busy = site
    .slots()
    .filter((slot) => slot.running)
    .slice(0, site.sequencesMax);
  if (query.get("fail_on_no_slot") === "1" && busy.length >= site.sequencesMax)
    return jsonPage(
      { error: { message: "no slot available", type: "unavailable_error", code: 503 } },
      503,
    );
  return jsonPage(
    Array.from({ length: site.sequencesMax }, (_, id) => {
      const slot = busy[id];
      const idle = {
        id,
        n_ctx: site.contextTokens,
        speculative: site.drafts > 0,
        is_processing: false,
      };
      if (slot === undefined) return idle;
      return {
        ...idle,
        is_processing: true,
        id_task: id,
        n_prompt_tokens: slot.promptTokens,
        n_prompt_tokens_processed: slot.promptDone - slot.cachedTokens,
        n_prompt_tokens_cache: slot.cachedTokens,
        params: { n_predict: slot.outputTokensMax },
        next_token: [
          {
            has_next_token: true,
            has_new_line: false,
            n_remain: slot.outputTokensMax - slot.outputTokens,
            n_decoded: slot.outputTokens,
          },
        ],
      };
    }),
  );
}

function tokenize(site: Site, body: JsonObject): Page {
  const content = typeof body["content"] === "string" ? body["content"] : "";
  const { ids, pieces } = site.vocabulary.tokenize(content);
  const special = body["add_special"] === true ? [128_000] : [];
  if (body["with_pieces"] !== true) return jsonPage({ tokens: [...special, ...ids] });
  return jsonPage({ tokens: ids.map((id, index) => ({ id, piece: pieces[index] ?? "" })) });
}

interface Window {
  promptTokens: number;
  promptMs: number;
  outputTokens: number;
  predictedMs: number;
}

function metrics(site: Site, before: Window): Page {
  const stats = site.stats();
  const { books } = site;
  const computed = stats.promptTokens - stats.cachedTokens;
  const now: Window = {
    promptTokens: computed,
    promptMs: books.promptMs,
    outputTokens: stats.outputTokens,
    predictedMs: books.predictedMs,
  };
  const rate = (tokens: number, ms: number): number => (ms <= 0 ? 0 : (1000 * tokens) / ms);
  const page = new MetricPage("llamacpp:", {})
    .counter("prompt_tokens_total", "Number of prompt tokens processed.", computed)
    .counter(
      "prompt_tokens_cached_total",
      "Number of prompt tokens taken from cache.",
      stats.cachedTokens,
    )
    .counter("prompt_seconds_total", "Prompt process time", books.promptMs / 1000)
    .counter("tokens_predicted_total", "Number of generation tokens processed.", stats.outputTokens)
    .counter("tokens_predicted_seconds_total", "Predict process time", books.predictedMs / 1000)
    .counter("n_decode_total", "Total number of llama_decode() calls", stats.steps)
    .counter("n_tokens_max", "Largest observed n_tokens.", books.sequenceTokensMax)
    .gauge(
      "n_busy_slots_per_decode",
      "Average number of busy slots per llama_decode() call",
      stats.steps === 0 ? 0 : stats.outputTokens / stats.steps,
    )
    .gauge(
      "prompt_tokens_seconds",
      "Average prompt throughput in tokens/s.",
      rate(now.promptTokens - before.promptTokens, now.promptMs - before.promptMs),
    )
    .gauge(
      "predicted_tokens_seconds",
      "Average generation throughput in tokens/s.",
      rate(now.outputTokens - before.outputTokens, now.predictedMs - before.predictedMs),
    )
    .gauge("requests_processing", "Number of requests processing.", stats.running)
    .gauge("requests_deferred", "Number of requests deferred.", stats.waiting)
    .counter(
      "spec_decode_num_drafts_total",
      "Number of drafts.",
      site.drafts === 0 ? 0 : stats.draftedTokens / site.drafts,
    )
    .counter("spec_decode_num_draft_tokens_total", "Number of draft tokens.", stats.draftedTokens)
    .counter(
      "spec_decode_num_accepted_tokens_total",
      "Number of accepted tokens.",
      stats.acceptedTokens,
    );
  Object.assign(before, now);
  return {
    ...page.page("text/plain; version=0.0.4"),
    headers: { "process-start-time-unix": String(site.startedSeconds) },
  };
}
