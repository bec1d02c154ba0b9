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

const VERSION = "0.5.18";

/** SGLang 0.5.18 (python/sglang/srt/entrypoints/openai, started with --enable-metrics --enable-cache-report). */
export const sglang: Persona = {
  name: "sglang",
  server: "uvicorn",
  chat: {
    open: (answer) =>
      chunk(answer, { reasoning_content: null, role: "assistant", content: "" }, null, null),
    token: (answer, text, usage) =>
      chunk(answer, { reasoning_content: null, content: text }, null, usage),
    // The finish is a frame of its own with an empty delta.
    last: (answer, text, reason, usage) =>
      chunk(answer, { reasoning_content: null, content: text }, null, usage) +
      chunk(answer, { reasoning_content: null }, reason, usage),
    usage: (answer, counts) =>
      event({ ...head(answer, "chat.completion.chunk"), choices: [], usage: fullUsage(counts) }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      ...head(answer, "chat.completion"),
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: text, reasoning_content: null, tool_calls: null },
          logprobs: null,
          finish_reason: reason,
          matched_stop: null,
        },
      ],
      usage: fullUsage(counts),
      metadata: { weight_version: "default" },
    }),
  },
  completions: {
    open: () => "",
    token: (answer, text, usage) => textChunk(answer, text, null, usage),
    last: (answer, text, reason, usage) => textChunk(answer, text, reason, usage),
    usage: (answer, counts) =>
      event({ ...head(answer, "text_completion"), choices: [], usage: fullUsage(counts) }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      ...head(answer, "text_completion"),
      choices: [{ index: 0, text, logprobs: null, finish_reason: reason, matched_stop: null }],
      usage: fullUsage(counts),
      metadata: { weight_version: "default" },
    }),
  },
  wantsUsage: (options) => options?.include_usage === true,
  headersWithFirstToken: true,
  abortAfterMs: { streamed: 2000, whole: 4000 },
  streamHeaders: {},
  checksModel: false,
  strictFields: null,
  error: (status, message, param) => ({
    object: "error",
    message,
    type: status === 503 ? "503" : "BadRequestError",
    param,
    code: status,
  }),
  pages: (site) => ({
    "/v1/models": () =>
      jsonPage({
        object: "list",
        data: [
          {
            id: site.model,
            object: "model",
            created: site.nowSeconds(),
            owned_by: "sglang",
            root: site.model,
            parent: null,
            max_model_len: site.contextTokens,
          },
        ],
      }),
    "/server_info": () =>
      jsonPage({
        model_path: site.model,
        tp_size: 1,
        version: VERSION,
        internal_states: [{ last_gen_throughput: 0 }],
        kv_events: null,
      }),
    "/model_info": () =>
      jsonPage({
        model_path: site.model,
        is_generation: true,
        served_model_name: site.model,
        weight_version: "default",
      }),
    "/health": () => textPage(""),
    "/ping": () => textPage(""),
    "/": () => jsonPage("SGLang is running"),
    "/v1/loads": () => loads(site),
    "/metrics": () => metrics(site),
  }),
};

function head(
  answer: Answer,
  object: string,
): { id: string; object: string; created: number; model: string } {
  return { id: answer.id, object, created: answer.created, model: answer.model };
}

function chunk(answer: Answer, delta: object, reason: string | null, usage: Counts | null): string {
  const choice = { index: 0, delta, logprobs: null, finish_reason: reason, matched_stop: null };
  const rest = usage === null ? {} : { usage: usageOf(usage) };
  return event({ ...head(answer, "chat.completion.chunk"), choices: [choice], ...rest });
}

function textChunk(
  answer: Answer,
  text: string,
  reason: string | null,
  usage: Counts | null,
): string {
  const choice = { index: 0, text, logprobs: null, finish_reason: reason, matched_stop: null };
  return event({
    ...head(answer, "text_completion"),
    choices: [choice],
    usage: usage === null ? null : usageOf(usage),
  });
}

/** Cached tokens are left out when there are none. */
function fullUsage(counts: Counts): {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
  prompt_tokens_details: { cached_tokens: number } | null;
  reasoning_tokens: number;
} {
  const details = counts.cached > 0 ? { cached_tokens: counts.cached } : null;
  return { ...usageOf(counts), prompt_tokens_details: details, reasoning_tokens: 0 };
}

function loads(site: Site): Page {
  const stats = site.stats();
  const capacity = site.kvBlocks * site.blockTokens;
  return jsonPage({
    timestamp: new Date(site.nowSeconds() * 1000).toISOString(),
    version: VERSION,
    accelerator: "NVIDIA H100 80GB HBM3",
    num_accelerators: 1,
    loads: [
      {
        dp_rank: 0,
        num_running_reqs: stats.running,
        num_waiting_reqs: stats.waiting,
        num_used_tokens: Math.round(stats.kvUsage * capacity),
        max_total_num_tokens: capacity,
        max_running_requests: site.sequencesMax,
        token_usage: stats.kvUsage,
        cache_hit_rate: 0,
        utilization: 0,
      },
    ],
  });
}

function metrics(site: Site): Page {
  const stats = site.stats();
  const labels = `engine_type="unified",model_name="${site.model}"`;
  const ranked = `${labels},moe_ep_rank="0",pp_rank="0",tp_rank="0"`;
  const text = exposeAll([
    ["sglang:num_running_reqs", "gauge", stats.running, ranked],
    ["sglang:num_queue_reqs", "gauge", stats.waiting, ranked],
    ["sglang:token_usage", "gauge", stats.kvUsage, ranked],
    ["sglang:max_total_num_tokens", "gauge", site.kvBlocks * site.blockTokens, ranked],
    ["sglang:num_retracted_requests_total", "counter", stats.preemptions, ranked],
    ["sglang:prompt_tokens_total", "counter", stats.promptTokens, labels],
    ["sglang:generation_tokens_total", "counter", stats.outputTokens, labels],
    ["sglang:num_requests_total", "counter", stats.finished, labels],
    ["sglang:num_aborted_requests_total", "counter", stats.aborted, labels],
    [
      "sglang:prefill_effective_tokens_total",
      "counter",
      stats.queryTokens - stats.hitTokens,
      `${ranked},mode="input"`,
    ],
  ]);
  const hits = `sglang:prefill_effective_tokens_total{${ranked},mode="device_hit"} ${stats.hitTokens}\n`;
  const { ttft, interToken, endToEnd } = site.latency;
  return textPage(
    text +
      hits +
      ttft.expose("sglang:time_to_first_token_seconds", labels) +
      interToken.expose("sglang:inter_token_latency_seconds", labels) +
      endToEnd.expose("sglang:e2e_request_latency_seconds", labels),
  );
}
