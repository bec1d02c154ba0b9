import { REQUEST_BORDERS, TOKEN_BORDERS, TTFT_BORDERS, lengthBorders } from "../borders.ts";
import { embeddings, rerank } from "../embeddings.ts";
import { MessagesWriter } from "../messages-events.ts";
import type { Inference, Persona, Refusal } from "../persona.ts";
import { ResponsesWriter } from "../responses-events.ts";
import { ChatWriter, CompletionWriter } from "./frames.ts";
import { NativeWriter } from "./native-frames.ts";
import { pages } from "./pages.ts";

const chat: Inference = {
  dialect: "chat",
  idPrefix: "chatcmpl-",
  counts: "finish",
  writer: (answer) => new ChatWriter(answer),
};
const native: Inference = {
  dialect: "native",
  idPrefix: "",
  counts: "always",
  writer: (answer) => new NativeWriter(answer),
};

const needsEmbeddings = unsupported(
  "This server does not support embeddings. Start it with `--embeddings`",
);
const needsReranking = unsupported(
  "This server does not support reranking. Start it with `--reranking`",
);

/** llama-server (tools/server), started with --metrics and --jinja. */
export const llamaCpp: Persona = {
  name: "llama.cpp",
  server: "llama.cpp",
  inference: {
    "/v1/chat/completions": chat,
    "/chat/completions": chat,
    "/v1/completions": {
      dialect: "completions",
      idPrefix: "chatcmpl-",
      counts: "finish",
      writer: (answer) => new CompletionWriter(answer),
    },
    "/completion": native,
    "/completions": native,
    "/v1/responses": {
      dialect: "responses",
      idPrefix: "resp_",
      counts: "finish",
      writer: (answer) => new ResponsesWriter(answer),
    },
    "/v1/messages": {
      dialect: "messages",
      idPrefix: "chatcmpl-",
      counts: "finish",
      writer: (answer) => new MessagesWriter(answer, { cacheApart: true }),
    },
  },
  pooling: {
    "/v1/embeddings": embeddings("llama.cpp", needsEmbeddings),
    "/embeddings": embeddings("llama.cpp", needsEmbeddings),
    "/embedding": embeddings("llama.cpp", needsEmbeddings),
    "/v1/rerank": rerank("llama.cpp", needsReranking),
    "/v1/reranking": rerank("llama.cpp", needsReranking),
    "/rerank": rerank("llama.cpp", needsReranking),
    "/reranking": rerank("llama.cpp", needsReranking),
  },
  pages,
  wantsUsage: (options) => options?.include_usage === true,
  continuousUsage: () => false,
  stampsFrames: true,
  countsPerChoice: true,
  overloadInStream: false,
  // A slot says when it begins the prompt, and only then is there an answer.
  headers: "scheduled",
  abortAfterMs: { streamed: 0, whole: 0 },
  streamHeaders: { "x-accel-buffering": "no" },
  pingAfterMs: 30_000,
  framesEmptyText: false,
  coalesces: false,
  checksModel: false,
  strictFields: null,
  checksStreamOptions: false,
  checksContentType: false,
  contextRefusal({ input, context }) {
    if (input < context) return null;
    const message = `request (${input} tokens) exceeds the available context size (${context} tokens), try increasing it`;
    return { message, param: null };
  },
  // The answer is buffered for /v1/stream then; only a DELETE there cancels.
  survivesHangUp: (asked) => asked["x-conversation-id"] !== undefined,
  requestId: { header: null, field: null },
  gauges: "live",
  connections: {
    idleMs: 5_000,
    requestsMax: 100,
    keepAlive: "timeout=5, max=100",
    sendsDate: false,
  },
  boot: { listensWhileLoading: true, warmUpShare: 0 },
  auth: {
    guards: (path) => path !== "/health" && path !== "/v1/health" && path !== "/",
    xApiKey: true,
  },
  borders: {
    // It exports no histogram; these keep its books like the others'.
    ttft: TTFT_BORDERS,
    interToken: TOKEN_BORDERS,
    interTokenPer: "step",
    tpot: TOKEN_BORDERS,
    endToEnd: REQUEST_BORDERS,
    queue: REQUEST_BORDERS,
    prefill: REQUEST_BORDERS,
    phase: REQUEST_BORDERS,
    tokens: lengthBorders(131_072),
  },
  refuse(refusal) {
    const { kind, status, message } = refusal;
    const plain = PLAIN_ERRORS[kind];
    if (plain !== undefined) return { error: { ...plain, code: status } };
    if (kind === "context")
      return {
        error: {
          code: status,
          message,
          type: "exceed_context_size_error",
          n_prompt_tokens: refusal.promptTokens ?? 0,
          n_ctx: refusal.contextTokens ?? 0,
        },
      };
    return {
      error: { code: status, message, type: ERROR_TYPES[status] ?? "invalid_request_error" },
    };
  },
};

/** Errors of the HTTP layer, which writes its keys in another order. */
const PLAIN_ERRORS: Partial<Record<Refusal["kind"], { message: string; type: string }>> = {
  loading: { message: "Loading model", type: "unavailable_error" },
  key: { message: "Invalid API Key", type: "authentication_error" },
  "not-found": { message: "File Not Found", type: "not_found_error" },
};

const ERROR_TYPES: Readonly<Record<number, string>> = {
  404: "not_found_error",
  500: "server_error",
  501: "not_supported_error",
  503: "unavailable_error",
};

function unsupported(message: string): Refusal {
  return { kind: "unsupported", status: 501, message, param: null };
}
