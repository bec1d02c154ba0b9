import { jsonPage } from "../frame.ts";
import type { Page, PageHandler, Site } from "../persona.ts";
import { VERSION } from "./frames.ts";
import { metrics } from "./metrics.ts";

const EMPTY: Page = { status: 200, type: "application/json", body: "" };

/** Routes beside inference (vllm/entrypoints/serve). */
export function pages(site: Site): Readonly<Record<string, PageHandler>> {
  return {
    "GET /v1/models": () => models(site),
    "GET /version": () => jsonPage({ version: VERSION }),
    "GET /health": () => EMPTY,
    "GET /ping": () => EMPTY,
    "POST /ping": () => EMPTY,
    "GET /load": () => jsonPage({ server_load: site.books.httpActive }),
    "GET /metrics": () => metrics(site),
    "POST /tokenize": ({ body }) => tokenize(site, body),
    "POST /detokenize": ({ body }) => {
      const tokens = body["tokens"];
      const ids = Array.isArray(tokens) ? tokens.filter((id) => typeof id === "number") : [];
      return jsonPage({ prompt: site.vocabulary.detokenize(ids) });
    },
    "POST /v1/messages/count_tokens": ({ body }) =>
      jsonPage({ input_tokens: site.chatIds(body).length }),
    ...(site.allRoutes ? developerPages(site) : {}),
  };
}

function models(site: Site): Page {
  const created = site.nowSeconds();
  const permission = {
    id: `modelperm-${created.toString(16)}`,
    object: "model_permission",
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: "*",
    group: null,
    is_blocking: false,
  };
  const card = {
    id: site.model,
    object: "model",
    created,
    owned_by: "vllm",
    root: site.model,
    parent: null,
    max_model_len: site.contextTokens,
    permission: [permission],
  };
  return jsonPage({ object: "list", data: [card] });
}

function tokenize(site: Site, body: Parameters<PageHandler>[0]["body"]): Page {
  const { prompt } = body;
  const text = typeof prompt === "string" ? site.vocabulary.tokenize(prompt) : null;
  const ids = text?.ids ?? site.chatIds(body);
  const shown = body["return_token_strs"] === true;
  return jsonPage({
    count: ids.length,
    max_model_len: site.contextTokens,
    tokens: ids,
    token_strs: shown ? (text?.pieces ?? ids.map((id) => site.vocabulary.pieceOf(id))) : null,
  });
}

/** With VLLM_SERVER_DEV_MODE=1. */
function developerPages(site: Site): Readonly<Record<string, PageHandler>> {
  return {
    "GET /server_info": () =>
      jsonPage({
        vllm_config: {
          model_config: { model: site.model, max_model_len: site.contextTokens },
          cache_config: { block_size: site.blockTokens, num_gpu_blocks: site.kvBlocks },
          parallel_config: { tensor_parallel_size: site.tp },
          scheduler_config: {
            max_num_seqs: site.sequencesMax,
            max_num_batched_tokens: site.stepTokensMax,
          },
        },
        vllm_env: { VLLM_SERVER_DEV_MODE: true },
        system_env: { gpu: site.gpu },
      }),
    "POST /reset_prefix_cache": () => {
      const free = site.stats().running === 0;
      if (free) site.clearPrefixCache();
      return jsonPage({ success: free });
    },
    "GET /is_sleeping": () => jsonPage({ is_sleeping: false }),
    "GET /is_paused": () => jsonPage({ is_paused: false }),
    "POST /abort_requests": () => {
      site.abortAll();
      return jsonPage({ status: "ok" });
    },
  };
}
