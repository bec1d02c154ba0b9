import { embeddings, labelScores, rerank } from "../embeddings.ts";
import { flatError } from "../frame.ts";
import { MessagesWriter } from "../messages-events.ts";
import type { Persona, Refusal } from "../persona.ts";
import { ResponsesWriter } from "../responses-events.ts";
import { ChatWriter, CompletionWriter } from "./frames.ts";
import { GenerateWriter } from "./generate-frames.ts";
import { pages } from "./pages.ts";

/** Nothing below 100 ms for the first token (observability/metrics_collector.py). */
const TTFT = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400];
const INTER_TOKEN = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2,
  0.4, 0.6, 0.8, 1, 2, 4, 6, 8,
];
const QUEUE = [
  0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90,
  100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000,
];
/** 0.001 × 1.62^k, thirty of them. */
const STAGE = Array.from({ length: 30 }, (_, power) => 0.001 * 1.62 ** power);
const TOKENS = [
  100, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 12_000,
  15_000, 20_000, 22_000, 25_000, 30_000, 35_000, 40_000, 66_000, 99_000, 132_000, 300_000, 600_000,
  900_000, 1_100_000,
];

/** SGLang 0.5.18 (python/sglang/srt/entrypoints), with --enable-metrics --enable-cache-report and parsers for tools and reasoning. */
export const sglang: Persona = {
  name: "sglang",
  server: "uvicorn",
  inference: {
    "/v1/chat/completions": {
      dialect: "chat",
      idPrefix: "",
      counts: "asked",
      writer: (answer) => new ChatWriter(answer),
    },
    "/v1/completions": {
      dialect: "completions",
      idPrefix: "",
      counts: "asked",
      writer: (answer) => new CompletionWriter(answer),
    },
    "/v1/responses": {
      dialect: "responses",
      idPrefix: "resp_",
      counts: "asked",
      writer: (answer) => new ResponsesWriter(answer),
      refuse: nested,
    },
    "/v1/messages": {
      dialect: "messages",
      idPrefix: "msg_",
      counts: "asked",
      writer: (answer) => new MessagesWriter(answer, { cacheApart: false }),
      refuse: ({ status, message }) => ({
        type: "error",
        error: { type: status >= 500 ? "api_error" : "invalid_request_error", message },
      }),
    },
    "/generate": {
      dialect: "generate",
      idPrefix: "",
      counts: "always",
      writer: (answer) => new GenerateWriter(answer),
      refuse: ({ message }) => ({ error: { message } }),
    },
  },
  pooling: {
    "/v1/embeddings": embeddings("sglang"),
    "/v1/rerank": rerank("sglang"),
    "/v1/score": labelScores,
  },
  pages,
  wantsUsage: (options) => options?.include_usage === true,
  continuousUsage: () => true,
  stampsFrames: true,
  countsPerChoice: false,
  overloadInStream: true,
  // The handler waits for the first frame before it answers at all.
  headers: "first-token",
  abortAfterMs: { streamed: 2000, whole: 4000 },
  streamHeaders: {},
  pingAfterMs: null,
  framesEmptyText: false,
  coalesces: true,
  checksModel: false,
  strictFields: null,
  checksStreamOptions: false,
  checksContentType: true,
  contextRefusal({ input, output, context }) {
    if (input >= context) {
      const message = `The input (${input} tokens) is longer than the model's context length (${context} tokens).`;
      return { message, param: null };
    }
    if (input + output <= context) return null;
    const message = `Requested token count exceeds the model's maximum context length of ${context} tokens. You requested a total of ${input + output} tokens: ${input} tokens from the input messages and ${output} tokens for the completion. Please reduce the number of tokens in the input messages or the completion to fit within the limit.`;
    return { message, param: null };
  },
  requestId: { header: null, field: "rid" },
  gauges: "forty-decodes",
  connections: { idleMs: 5_000, requestsMax: null, keepAlive: null, sendsDate: true },
  boot: { listensWhileLoading: false, warmUpShare: 0.2 },
  auth: { guards: (path) => !/^\/(health|metrics)/.test(path), xApiKey: false },
  borders: {
    ttft: TTFT,
    interToken: INTER_TOKEN,
    interTokenPer: "token",
    tpot: INTER_TOKEN,
    endToEnd: [...TTFT, 600, 1200, 1800, 2400],
    queue: QUEUE,
    prefill: STAGE,
    phase: STAGE,
    tokens: TOKENS,
  },
  refuse(refusal) {
    if (refusal.kind === "key") return { error: "Unauthorized" };
    if (refusal.kind === "not-found" || refusal.kind === "method")
      return { detail: refusal.message };
    return flatError(refusal, typeOf(refusal));
  },
};

function typeOf({ status }: Refusal): string {
  if (status >= 500) return status === 500 ? "InternalServerError" : String(status);
  return status === 404 ? "NotFoundError" : "BadRequestError";
}

function nested(refusal: Refusal): {
  error: { message: string; type: string; param: string | null; code: number };
} {
  const { message, param, status } = refusal;
  return { error: { message, type: typeOf(refusal), param, code: status } };
}
