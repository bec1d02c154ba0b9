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

const VERSION = "1.3.0rc29";

/** Fields `trtllm-serve` takes; anything else is refused (tensorrt_llm/serve/openai_protocol.py, `extra="forbid"`). */
const FIELDS = new Set(
  "model messages prompt stream stream_options max_tokens max_completion_tokens min_tokens ignore_eos stop stop_token_ids seed temperature top_p top_k min_p repetition_penalty presence_penalty frequency_penalty logprobs top_logprobs n user tools tool_choice response_format logit_bias truncate_prompt_tokens detokenize add_special_tokens best_of use_beam_search cache_salt priority chat_template_kwargs thinking_token_budget lora_request disaggregated_params conversation_params echo suffix prompt_token_ids reasoning_effort parallel_tool_calls".split(
    " ",
  ),
);

/** TensorRT-LLM 1.3 (tensorrt_llm/serve/openai_server.py, started with return_perf_metrics and enable_iter_perf_stats). */
export const tensorrtLlm: Persona = {
  name: "tensorrt-llm",
  server: "uvicorn",
  chat: {
    // The first frame carries a blank before its line end.
    open: (answer) => chunk(answer, { role: "assistant" }, null, null).replace(/\n\n$/, " \n\n"),
    token: (answer, text, usage) =>
      chunk(answer, { content: text, reasoning_content: "" }, null, usage),
    last: (answer, text, reason, usage) =>
      chunk(answer, { content: text, reasoning_content: "" }, reason, usage),
    usage: (answer, counts) =>
      event({ ...head(answer, "chat.completion.chunk"), choices: [], usage: fullUsage(counts) }),
    end: DONE,
    whole: (answer, text, reason, counts) => ({
      ...head(answer, "chat.completion"),
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: text, reasoning_content: null, tool_calls: [] },
          logprobs: null,
          finish_reason: reason,
          stop_reason: null,
          disaggregated_params: null,
        },
      ],
      usage: fullUsage(counts),
      prompt_token_ids: null,
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
      choices: [
        {
          index: 0,
          text,
          token_ids: null,
          logprobs: null,
          finish_reason: reason,
          stop_reason: null,
          disaggregated_params: null,
          avg_decoded_tokens_per_iter: 1,
        },
      ],
      usage: fullUsage(counts),
      prompt_token_ids: null,
    }),
  },
  // Stream options of any kind mean usage.
  wantsUsage: (options) => options !== null && options.include_usage !== false,
  headersWithFirstToken: false,
  abortAfterMs: { streamed: 1000, whole: 1000 },
  streamHeaders: {},
  checksModel: false,
  strictFields: FIELDS,
  error: (status, message) => ({
    object: "error",
    message,
    type: status === 404 ? "NotFoundError" : "BadRequestError",
    param: null,
    code: status,
  }),
  pages: (site) => ({
    "/v1/models": () =>
      jsonPage({
        object: "list",
        data: [
          { id: site.model, object: "model", created: site.nowSeconds(), owned_by: "tensorrt_llm" },
        ],
      }),
    "/version": () => jsonPage({ version: VERSION }),
    "/health": () => textPage(""),
    "/server_info": () =>
      jsonPage({
        disaggregated_params: null,
        max_batch_size: site.sequencesMax,
        tokens_per_block: site.blockTokens,
        kv_cache_hash_algo: "v1",
      }),
    "/metrics": () => jsonPage([]),
    "/prometheus/metrics": () => metrics(site),
  }),
};

function head(
  answer: Answer,
  object: string,
): { id: string; object: string; created: number; model: string } {
  return { id: answer.id, object, created: answer.created, model: answer.model };
}

function chunk(answer: Answer, delta: object, reason: string | null, usage: Counts | null): string {
  const choice = { index: 0, delta, ...(reason === null ? {} : { finish_reason: reason }) };
  const rest = usage === null ? {} : { usage: fullUsage(usage) };
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
    token_ids: null,
    logprobs: null,
    finish_reason: reason,
    stop_reason: null,
    avg_decoded_tokens_per_iter: null,
  };
  return event({
    ...head(answer, "text_completion"),
    choices: [choice],
    usage: usage === null ? null : fullUsage(usage),
  });
}

function fullUsage(counts: Counts): {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
} {
  return { ...usageOf(counts), prompt_tokens_details: { cached_tokens: counts.cached } };
}

function metrics(site: Site): Page {
  const stats = site.stats();
  const labels = `engine_type="pytorch",model_name="${site.model}"`;
  const used = Math.round(stats.kvUsage * site.kvBlocks);
  const text = exposeAll([
    ["trtllm_num_requests_running", "gauge", stats.running, labels],
    ["trtllm_num_requests_waiting", "gauge", stats.waiting, labels],
    ["trtllm_max_num_active_requests", "gauge", site.sequencesMax, labels],
    ["trtllm_kv_cache_utilization", "gauge", stats.kvUsage, labels],
    ["trtllm_kv_cache_max_blocks", "gauge", site.kvBlocks, labels],
    ["trtllm_kv_cache_used_blocks", "gauge", used, labels],
    ["trtllm_kv_cache_free_blocks", "gauge", site.kvBlocks - used, labels],
    ["trtllm_kv_cache_tokens_per_block", "gauge", site.blockTokens, labels],
    [
      "trtllm_kv_cache_reused_blocks_total",
      "counter",
      Math.round(stats.hitTokens / site.blockTokens),
      labels,
    ],
    [
      "trtllm_kv_cache_missed_blocks_total",
      "counter",
      Math.round((stats.queryTokens - stats.hitTokens) / site.blockTokens),
      labels,
    ],
    ["trtllm_prompt_tokens_total", "counter", stats.promptTokens, labels],
    ["trtllm_generation_tokens_total", "counter", stats.outputTokens, labels],
    [
      "trtllm_request_success_total",
      "counter",
      stats.finished,
      `${labels},finished_reason="length"`,
    ],
  ]);
  const { ttft, interToken, endToEnd } = site.latency;
  return textPage(
    text +
      ttft.expose("trtllm_time_to_first_token_seconds", labels) +
      interToken.expose("trtllm_time_per_output_token_seconds", labels) +
      endToEnd.expose("trtllm_e2e_request_latency_seconds", labels),
  );
}
