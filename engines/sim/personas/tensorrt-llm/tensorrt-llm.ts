import { REQUEST_BORDERS, TOKEN_BORDERS, TTFT_BORDERS, lengthBorders } from "../borders.ts";
import { flatError } from "../frame.ts";
import type { Persona } from "../persona.ts";
import { ResponsesWriter } from "../responses-events.ts";
import { ChatWriter, CompletionWriter } from "./frames.ts";
import { pages } from "./pages.ts";

/** Prefill has borders of its own (tensorrt_llm/metrics/collector.py). */
const PREFILL = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 640, 2560,
];

/** Fields `trtllm-serve` takes; anything else is refused (tensorrt_llm/serve/openai_protocol.py, `extra="forbid"`). */
const FIELDS = new Set(
  "model messages prompt stream stream_options max_tokens max_completion_tokens min_tokens ignore_eos stop stop_token_ids seed temperature top_p top_k min_p repetition_penalty presence_penalty frequency_penalty logprobs top_logprobs n user tools tool_choice response_format logit_bias truncate_prompt_tokens detokenize add_special_tokens best_of use_beam_search cache_salt priority chat_template_kwargs thinking_token_budget lora_request disaggregated_params conversation_params echo suffix prompt_token_ids reasoning_effort parallel_tool_calls input instructions max_output_tokens reasoning text truncation store metadata background include previous_response_id".split(
    " ",
  ),
);

/** TensorRT-LLM 1.3 (tensorrt_llm/serve/openai_server.py), with return_perf_metrics, enable_iter_perf_stats and parsers for tools and reasoning. */
export const tensorrtLlm: Persona = {
  name: "tensorrt-llm",
  server: "uvicorn",
  inference: {
    "/v1/chat/completions": {
      dialect: "chat",
      idPrefix: "chatcmpl-",
      counts: "asked",
      writer: (answer) => new ChatWriter(answer),
    },
    "/v1/completions": {
      dialect: "completions",
      idPrefix: "cmpl-",
      counts: "asked",
      writer: (answer) => new CompletionWriter(answer),
    },
    "/v1/responses": {
      dialect: "responses",
      idPrefix: "resp_",
      counts: "asked",
      writer: (answer) => new ResponsesWriter(answer),
    },
  },
  // Embeddings are another role of the server, without generation.
  pooling: {},
  pages,
  // Stream options of any kind mean usage.
  wantsUsage: (options) => options !== null && options.include_usage !== false,
  continuousUsage: (options) => options.include_usage !== false,
  stampsFrames: false,
  countsPerChoice: false,
  overloadInStream: false,
  headers: "accepted",
  abortAfterMs: { streamed: 1000, whole: 1000 },
  streamHeaders: {},
  pingAfterMs: null,
  framesEmptyText: true,
  coalesces: true,
  checksModel: false,
  strictFields: FIELDS,
  checksStreamOptions: true,
  checksContentType: false,
  contextRefusal({ input, output, context }) {
    if (input + output <= context && input < context) return null;
    const message = `The sum of prompt length (${input}) and max_tokens (${output}) should not exceed max_seq_len (${context})`;
    return { message, param: null };
  },
  requestId: { header: null, field: null },
  gauges: "finish",
  connections: { idleMs: 5_000, requestsMax: null, keepAlive: null, sendsDate: true },
  boot: { listensWhileLoading: false, warmUpShare: 0 },
  auth: null,
  borders: {
    ttft: TTFT_BORDERS,
    interToken: TOKEN_BORDERS,
    interTokenPer: "step",
    tpot: TOKEN_BORDERS,
    endToEnd: REQUEST_BORDERS,
    queue: REQUEST_BORDERS,
    prefill: PREFILL,
    phase: REQUEST_BORDERS,
    tokens: lengthBorders(131_072),
  },
  refuse(refusal) {
    const { kind, message, status } = refusal;
    if (kind === "strange-field" || kind === "invalid") return { error: message };
    if (kind === "not-found" || kind === "method") return { detail: message };
    const type =
      status === 404 ? "NotFoundError" : status >= 500 ? "InternalServerError" : "BadRequestError";
    return flatError({ ...refusal, param: null }, type);
  },
};
