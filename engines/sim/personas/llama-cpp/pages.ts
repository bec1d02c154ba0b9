import type { JsonObject } from "../../../engine.ts";
import { jsonPage } from "../frame.ts";
import type { Page, PageHandler, Site } from "../persona.ts";
import { BUILD } from "./frames.ts";
import { emptyWindow, metrics } from "./metrics.ts";

/** Routes beside inference (tools/server/server.cpp). */
export function pages(site: Site): Readonly<Record<string, PageHandler>> {
  // Averages since the last read: a second reader takes from the first.
  const window = emptyWindow();
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
    aliases: [site.model],
    tags: [],
    object: "model",
    architecture: { input_modalities: ["text"], output_modalities: ["text"] },
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
