import type { JsonObject } from "../../../engine.ts";
import { jsonPage, textPage } from "../frame.ts";
import { MetricPage } from "../metric-page.ts";
import type { Page, PageHandler, Site } from "../persona.ts";
import { metrics } from "./metrics.ts";

const VERSION = "0.5.18";
/** The health handler sleeps this long between looks (entrypoints/http_server.py). */
const HEALTH_SLEEP_MS = 1_000;
/** And gives up after so long (`SGLANG_HEALTH_CHECK_TIMEOUT`). */
const HEALTH_LIMIT_MS = 20_000;

/** Routes beside inference (python/sglang/srt/entrypoints/http_server.py). */
export function pages(site: Site): Readonly<Record<string, PageHandler>> {
  return {
    "GET /v1/models": () => jsonPage({ object: "list", data: [card(site)] }),
    [`GET /v1/models/${site.model}`]: () => jsonPage(card(site)),
    "GET /server_info": () => jsonPage(serverInfo(site)),
    "GET /get_server_info": () => jsonPage(serverInfo(site)),
    "GET /model_info": () => jsonPage(modelInfo(site)),
    "GET /get_model_info": () => jsonPage(modelInfo(site)),
    "GET /health": () => health(site),
    "GET /health_generate": () => health(site),
    "GET /ping": () => textPage(""),
    "GET /": () => jsonPage("SGLang is running"),
    "GET /v1/loads": ({ query }) => loads(site, query),
    "GET /get_load": () => jsonPage([oldLoad(site)]),
    "GET /metrics": () => metrics(site),
    "POST /tokenize": ({ body }) => tokenize(site, body),
    "POST /v1/tokenize": ({ body }) => tokenize(site, body),
    "POST /detokenize": ({ body }) => detokenize(site, body),
    "POST /v1/detokenize": ({ body }) => detokenize(site, body),
    "POST /v1/messages/count_tokens": ({ body }) =>
      jsonPage({ input_tokens: site.chatIds(body).length }),
    "POST /flush_cache": () => flush(site),
    "GET /flush_cache": () => flush(site),
    "POST /abort_request": ({ body }) => {
      if (body["abort_all"] === true) site.abortAll();
      return textPage("");
    },
  };
}

function card(site: Site): JsonObject {
  return {
    id: site.model,
    object: "model",
    created: site.nowSeconds(),
    owned_by: "sglang",
    root: site.model,
    parent: null,
    max_model_len: site.contextTokens,
  };
}

function serverInfo(site: Site): JsonObject {
  return {
    model_path: site.model,
    served_model_name: site.model,
    tp_size: site.tp,
    dp_size: 1,
    max_running_requests: site.sequencesMax,
    chunked_prefill_size: site.stepTokensMax,
    context_length: site.contextTokens,
    max_total_num_tokens: site.kvBlocks * site.blockTokens,
    enable_metrics: true,
    internal_states: [{ last_gen_throughput: site.books.throughput }],
    kv_events: null,
    version: VERSION,
  };
}

function modelInfo(site: Site): JsonObject {
  return {
    model_path: site.model,
    tokenizer_path: site.model,
    is_generation: true,
    served_model_name: site.model,
    weight_version: "default",
  };
}

/** Generates a token and looks once a second whether the scheduler has said anything since. */
async function health(site: Site): Promise<Page> {
  if (site.phase() !== "ready") return textPage("", "text/plain; charset=utf-8", 503);
  const answered = site.probe(HEALTH_LIMIT_MS);
  await site.after(HEALTH_SLEEP_MS);
  return (await answered) ? textPage("") : textPage("", "text/plain; charset=utf-8", 503);
}

/** The scheduler's snapshot: written on every prefill, when idle, and every fifteen decode steps (entrypoints/v1_loads.py). */
function loads(site: Site, query: URLSearchParams): Page {
  const core = coreLoad(site);
  if (query.get("format") === "prometheus") return prometheusLoads(core);
  const include = new Set((query.get("include") ?? "core").split(","));
  const all = include.has("all");
  const capacity = site.kvBlocks * site.blockTokens;
  const sections: JsonObject = {
    ...(all || include.has("memory")
      ? {
          memory: {
            weight_gb: site.weightBytes / 1e9,
            kv_cache_gb: 0,
            graph_gb: 0,
            token_capacity: capacity,
          },
        }
      : {}),
    ...(all || include.has("queues")
      ? {
          queues: {
            waiting: core["num_waiting_reqs"] ?? 0,
            grammar: 0,
            paused: 0,
            retracted: 0,
            prealloc_ready: 0,
          },
        }
      : {}),
  };
  return jsonPage({
    timestamp: stamp(site),
    version: VERSION,
    accelerator: site.gpu,
    num_accelerators: site.tp,
    loads: [{ timestamp: stamp(site), ...core, ...sections }],
  });
}

function coreLoad(site: Site): JsonObject {
  const live = site.stats();
  const { books } = site;
  const idle = live.running + live.waiting === 0;
  const seen = idle ? live : (books.gauges.snapshot ?? live);
  const capacity = site.kvBlocks * site.blockTokens;
  const used = Math.round(seen.kvUsage * capacity);
  const waitingTokens = site
    .slots()
    .filter((slot) => !slot.running)
    .reduce((sum, slot) => sum + slot.promptTokens, 0);
  return {
    dp_rank: 0,
    num_running_reqs: seen.running,
    num_waiting_reqs: seen.waiting,
    num_waiting_uncached_tokens: seen.waiting === 0 ? 0 : waitingTokens,
    num_used_tokens: used,
    num_total_tokens: used + (seen.waiting === 0 ? 0 : waitingTokens),
    num_active_tokens: used,
    max_total_num_tokens: capacity,
    max_running_requests: site.sequencesMax,
    token_usage: seen.kvUsage,
    gen_throughput: books.throughput,
    cache_hit_rate: 0,
    utilization: 0,
    total_prefill_uncached_tokens: books.prefillTokens,
    total_prefill_busy_us: Math.round(books.prefillBusyMs * 1000),
    decode_moments: null,
  };
}

function prometheusLoads(core: JsonObject): Page {
  const page = new MetricPage("sglang_", { dp_rank: 0 });
  for (const [name, value] of Object.entries(core))
    if (typeof value === "number" && name !== "dp_rank") page.gauge(name, name, value);
  return page.page();
}

function oldLoad(site: Site): JsonObject {
  const core = coreLoad(site);
  return {
    dp_rank: 0,
    num_reqs: Number(core["num_running_reqs"]) + Number(core["num_waiting_reqs"]),
    num_waiting_reqs: core["num_waiting_reqs"] ?? 0,
    num_tokens: core["num_total_tokens"] ?? 0,
    num_pending_tokens: core["num_waiting_uncached_tokens"] ?? 0,
    ts_tic: site.nowSeconds(),
  };
}

function tokenize(site: Site, body: JsonObject): Page {
  const { prompt } = body;
  const ids =
    typeof prompt === "string" ? site.vocabulary.tokenize(prompt).ids : site.chatIds(body);
  return jsonPage({ tokens: ids, count: ids.length, max_model_len: site.contextTokens });
}

function detokenize(site: Site, body: JsonObject): Page {
  const { tokens } = body;
  const ids = Array.isArray(tokens) ? tokens.filter((id) => typeof id === "number") : [];
  return jsonPage({ text: site.vocabulary.detokenize(ids) });
}

function flush(site: Site): Page {
  const { running, waiting } = site.stats();
  if (running + waiting > 0)
    return textPage(
      "Cache not flushed because requests are running or waiting.\n",
      "text/plain; charset=utf-8",
      400,
    );
  site.clearPrefixCache();
  return textPage("Cache flushed.\nPlease check backend logs for more details.\n");
}

function stamp(site: Site): string {
  return new Date(site.nowSeconds() * 1000).toISOString().replace("Z", "000+00:00");
}
