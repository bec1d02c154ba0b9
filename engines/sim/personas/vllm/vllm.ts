import { embeddings, rerank, score } from "../embeddings.ts";
import { lengthBorders, REQUEST_BORDERS, TOKEN_BORDERS, TTFT_BORDERS } from "../borders.ts";
import { nestedError } from "../frame.ts";
import { MessagesWriter } from "../messages-events.ts";
import type { Persona, Refusal } from "../persona.ts";
import { ResponsesWriter } from "../responses-events.ts";
import { ChatWriter, CompletionWriter } from "./frames.ts";
import { pages } from "./pages.ts";

/** Longest context of the models it is told with; longer prompts share the last bucket. */
const LENGTH_MAX = 131_072;

/** Only these prefixes ask for the key (vllm/entrypoints/serve/middleware/authenticate.py). */
const GUARDED = /^\/(v1|v2|inference|cohere)(\/|$)/;

/** vLLM V1 (vllm/entrypoints, vllm/v1/metrics/loggers.py), with --enable-prompt-tokens-details and tool and reasoning parsers. */
export const vllm: Persona = {
  name: "vllm",
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
    "/v1/messages": {
      dialect: "messages",
      idPrefix: "chatcmpl-",
      counts: "asked",
      writer: (answer) => new MessagesWriter(answer, { cacheApart: false }),
      refuse: anthropicError,
    },
  },
  pooling: {
    "/v1/embeddings": embeddings("vllm"),
    "/v1/rerank": rerank("jina"),
    "/rerank": rerank("jina"),
    "/v2/rerank": rerank("jina"),
    "/v1/score": score,
    "/score": score,
  },
  pages,
  wantsUsage: (options) => options?.include_usage === true,
  continuousUsage: (options) => options.include_usage === true,
  stampsFrames: false,
  countsPerChoice: false,
  overloadInStream: false,
  headers: "accepted",
  abortAfterMs: { streamed: 0, whole: 0 },
  streamHeaders: {},
  pingAfterMs: null,
  framesEmptyText: true,
  coalesces: true,
  checksModel: true,
  strictFields: null,
  checksStreamOptions: true,
  checksContentType: true,
  contextRefusal({ input, output, context }) {
    if (input + output <= context && input < context) return null;
    const message = `This model's maximum context length is ${context} tokens. However, you requested ${output} output tokens and your prompt contains ${input} input tokens, for a total of ${input + output} tokens. Please reduce the length of the input prompt or the number of requested output tokens.`;
    return { message, param: "input_tokens" };
  },
  /** ORCA load report (vllm/entrypoints/serve/utils/orca_metrics.py). */
  wholeHeaders(asked, stats) {
    const format = String(asked["endpoint-load-metrics-format"] ?? "").toLowerCase();
    const named = { kv_cache_usage_perc: stats.kvUsage, num_requests_waiting: stats.waiting };
    if (format === "json")
      return { "endpoint-load-metrics": `JSON ${JSON.stringify({ named_metrics: named })}` };
    if (format !== "text") return {};
    const text = Object.entries(named).map(
      ([name, value]) => `named_metrics.${name}=${value.toFixed(3)}`,
    );
    return { "endpoint-load-metrics": `TEXT ${text.join(", ")}` };
  },
  requestId: { header: "x-request-id", field: "request_id" },
  gauges: "live",
  connections: { idleMs: 5_000, requestsMax: null, keepAlive: null, sendsDate: true },
  boot: { listensWhileLoading: false, warmUpShare: 0 },
  auth: { guards: (path) => GUARDED.test(path), xApiKey: false },
  borders: {
    ttft: TTFT_BORDERS,
    interToken: TOKEN_BORDERS,
    interTokenPer: "step",
    tpot: TOKEN_BORDERS,
    endToEnd: REQUEST_BORDERS,
    queue: REQUEST_BORDERS,
    prefill: REQUEST_BORDERS,
    phase: REQUEST_BORDERS,
    tokens: lengthBorders(LENGTH_MAX),
  },
  refuse(refusal) {
    if (refusal.kind === "key") return { error: "Unauthorized" };
    if (refusal.kind === "not-found" || refusal.kind === "method")
      return { detail: refusal.message };
    if (refusal.kind !== "invalid")
      return nestedError(refusal, ERROR_TYPES[refusal.status] ?? "BadRequestError");
    const param =
      refusal.param === null || refusal.param === "body" ? refusal.param : `body.${refusal.param}`;
    return nestedError({ ...refusal, param }, "Bad Request");
  },
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  404: "NotFoundError",
  422: "UnprocessableEntityError",
  429: "TooManyRequestsError",
  500: "InternalServerError",
  501: "NotImplementedError",
  503: "ServiceUnavailableError",
};

/** Anthropic's envelope, which /v1/messages keeps for errors too. */
function anthropicError({ status, message }: Refusal): {
  type: string;
  error: { type: string; message: string };
} {
  const types: Readonly<Record<number, string>> = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
  };
  const type = types[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
  return { type: "error", error: { type, message } };
}
