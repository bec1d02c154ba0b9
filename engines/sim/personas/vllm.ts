import { exposeAll } from "../latency-histograms.ts";
import {
  type Answer,
  type Counts,
  DONE,
  event,
  type Frames,
  jsonPage,
  type Page,
  type Persona,
  type Site,
  textPage,
  usageOf,
} from "./persona.ts";

const VERSION = "0.25.1";
const FINGERPRINT = `vllm-${VERSION}-1a2b3c4d`;

/** vLLM V1 (vllm/entrypoints/openai, vllm/v1/metrics/loggers.py). */
export const vllm: Persona = {
  name: "vllm",
  server: "uvicorn",
  chat: {
    open: (answer) =>
      chunk(answer, { role: "assistant", content: "" }, null, {
        prompt_token_ids: null,
        prompt_text: null,
      }),
    token: (answer, text, usage) => chunk(answer, { content: text }, null, continuous(usage)),
    last: (answer, text, reason, usage) =>
      chunk(answer, { content: text }, reason, continuous(usage)),
    usage: (answer, counts) =>
      event({
        ...head(answer, "chat.completion.chunk"),
        choices: [],
        usage: usageOf(counts),
        system_fingerprint: FINGERPRINT,
      }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      ...head(answer, "chat.completion"),
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: text,
            refusal: null,
            annotations: null,
            audio: null,
            function_call: null,
            reasoning: null,
          },
          logprobs: null,
          finish_reason: reason,
          stop_reason: null,
          token_ids: null,
        },
      ],
      service_tier: null,
      system_fingerprint: FINGERPRINT,
      usage: { ...usageOf(counts), prompt_tokens_details: null },
      prompt_logprobs: null,
      prompt_token_ids: null,
      kv_transfer_params: null,
    }),
  },
  completions: {
    open: () => "",
    token: (answer, text, usage) => textChunk(answer, text, null, usage),
    last: (answer, text, reason, usage) => textChunk(answer, text, reason, usage),
    usage: (answer, counts) =>
      event({ ...head(answer, "text_completion"), choices: [], usage: usageOf(counts) }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      ...head(answer, "text_completion"),
      choices: [
        {
          index: 0,
          text,
          logprobs: null,
          finish_reason: reason,
          stop_reason: null,
          token_ids: null,
          prompt_logprobs: null,
          prompt_token_ids: null,
        },
      ],
      service_tier: null,
      system_fingerprint: FINGERPRINT,
      usage: { ...usageOf(counts), prompt_tokens_details: null },
      kv_transfer_params: null,
    }),
  } satisfies Frames,
  wantsUsage: (options) => options?.include_usage === true,
  headersWithFirstToken: false,
  abortAfterMs: { streamed: 0, whole: 0 },
  streamHeaders: {},
  checksModel: true,
  strictFields: null,
  error: (status, message, param) => ({
    error: { message, type: ERROR_TYPES[status] ?? "BadRequestError", param, code: status },
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
            owned_by: "vllm",
            root: site.model,
            parent: null,
            max_model_len: site.contextTokens,
            permission: [],
          },
        ],
      }),
    "/version": () => jsonPage({ version: VERSION }),
    "/health": () => ({ status: 200, type: "text/plain", body: "" }),
    "/ping": () => ({ status: 200, type: "text/plain", body: "" }),
    "/load": () => jsonPage({ server_load: site.stats().running + site.stats().waiting }),
    "/metrics": () => metrics(site),
  }),
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  404: "NotFoundError",
  422: "UnprocessableEntityError",
  500: "InternalServerError",
  501: "NotImplementedError",
  503: "ServiceUnavailableError",
};

function head(
  answer: Answer,
  object: string,
): { id: string; object: string; created: number; model: string } {
  return { id: answer.id, object, created: answer.created, model: answer.model };
}

function chunk(answer: Answer, delta: object, reason: string | null, rest: object): string {
  const finish = reason === null ? {} : { stop_reason: null };
  const tokenIds = "role" in delta ? {} : { token_ids: null };
  const choice = { index: 0, delta, logprobs: null, finish_reason: reason, ...finish, ...tokenIds };
  return event({ ...head(answer, "chat.completion.chunk"), choices: [choice], ...rest });
}

function textChunk(
  answer: Answer,
  text: string,
  reason: string | null,
  usage: Counts | null,
): string {
  const choice = {
    index: 0,
    text,
    logprobs: null,
    finish_reason: reason,
    stop_reason: null,
    prompt_token_ids: null,
    token_ids: null,
  };
  return event({ ...head(answer, "text_completion"), choices: [choice], ...continuous(usage) });
}

function continuous(counts: Counts | null): object {
  return counts === null ? {} : { usage: usageOf(counts) };
}

function metrics(site: Site): Page {
  const stats = site.stats();
  const labels = `engine="0",model_name="${site.model}"`;
  const text = exposeAll([
    ["vllm:num_requests_running", "gauge", stats.running, labels],
    ["vllm:num_requests_waiting", "gauge", stats.waiting, labels],
    ["vllm:kv_cache_usage_perc", "gauge", stats.kvUsage, labels],
    ["vllm:prefix_cache_queries_total", "counter", stats.queryTokens, labels],
    ["vllm:prefix_cache_hits_total", "counter", stats.hitTokens, labels],
    ["vllm:num_preemptions_total", "counter", stats.preemptions, labels],
    ["vllm:prompt_tokens_total", "counter", stats.promptTokens, labels],
    ["vllm:prompt_tokens_cached_total", "counter", stats.cachedTokens, labels],
    ["vllm:generation_tokens_total", "counter", stats.outputTokens, labels],
    ["vllm:request_success_total", "counter", stats.finished, `${labels},finished_reason="length"`],
    [
      "vllm:cache_config_info",
      "gauge",
      1,
      `block_size="${site.blockTokens}",cache_dtype="auto",enable_prefix_caching="True",engine="0",gpu_memory_utilization="0.92",num_gpu_blocks="${site.kvBlocks}"`,
    ],
  ]);
  const { ttft, interToken, endToEnd } = site.latency;
  return textPage(
    text +
      ttft.expose("vllm:time_to_first_token_seconds", labels) +
      interToken.expose("vllm:inter_token_latency_seconds", labels) +
      endToEnd.expose("vllm:e2e_request_latency_seconds", labels),
    "text/plain; version=0.0.4; charset=utf-8",
  );
}
