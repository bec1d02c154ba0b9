import type { JsonObject } from "../engine.ts";
import { type AnswerWish, PLAIN, readAnswerWish } from "./answer-wish.ts";
import { BodyError } from "./body-error.ts";
import { messagesOfAnthropic, messagesOfInput, readChatPrompt } from "./chat-prompt.ts";
import type { Dialect, StreamOptions } from "./personas/persona.ts";
import { hashText, tokenize, type Vocabulary } from "./text.ts";

/** An inference request as the simulated engine understands it. */
export interface InferenceBody {
  readonly model: string;
  /** One per prompt; chat-like requests have one. */
  readonly prompts: readonly (readonly number[])[];
  /** Choices per prompt. */
  readonly n: number;
  readonly streamed: boolean;
  readonly streamOptions: StreamOptions | null;
  /** What the client allows; `null` when it set no bound. */
  readonly outputTokensMax: number | null;
  readonly outputTokensMin: number;
  readonly ignoresEnd: boolean;
  readonly stop: readonly string[];
  readonly stopIds: readonly number[];
  readonly stopShown: boolean;
  readonly wish: AnswerWish;
  readonly tokenIds: boolean;
  readonly logprobs: number | null;
  readonly echo: string | null;
  readonly detokenize: boolean;
  readonly timingsPerToken: boolean;
  readonly returnProgress: boolean;
  /** Tokens per frame after the first. */
  readonly streamInterval: number;
  readonly pingAfterMs: number | null;
  /** Names of all top-level fields, for engines that refuse strangers. */
  readonly fields: readonly string[];
  /** Equal prompts and seeds give equal answers. */
  readonly key: number;
  readonly raw: JsonObject;
}

/** Most choices of one request: vLLM's own bound for `n`. */
const CHOICES_MAX = 128;
const PROMPTS_MAX = 256;
/** Most alternatives per token that engines give by default. */
const LOGPROBS_MAX = 20;

interface Prompted {
  readonly prompts: readonly (readonly number[])[];
  readonly wish: AnswerWish;
  readonly echo: string | null;
}

/**
 * Reads the body of a generating request.
 * @throws {BodyError} for what no engine would take.
 */
export function readInferenceBody(
  text: string,
  dialect: Dialect,
  vocabulary: Vocabulary,
): InferenceBody {
  const request = parseObject(text);
  const { prompts, wish, echo } = promptOf(request, dialect, vocabulary);
  const sampling = dialect === "generate" ? objectOf(request["sampling_params"]) : request;
  let key = typeof request["seed"] === "number" ? request["seed"] : 0;
  for (const id of prompts[0] ?? []) key = Math.imul(key ^ id, 0x01000193);
  const max = boundOf(request, sampling);
  const own = dialect === "generate" || dialect === "native";
  return {
    model: typeof request["model"] === "string" ? request["model"] : "",
    prompts,
    n: wholeNumber(sampling["n"], "n", { min: 1, max: CHOICES_MAX }) ?? 1,
    streamed: request["stream"] === true,
    streamOptions: request["stream_options"] === undefined ? null : streamOptions(request),
    outputTokensMax: max,
    outputTokensMin: numberOr(sampling["min_tokens"] ?? sampling["min_new_tokens"], 0),
    ignoresEnd: sampling["ignore_eos"] === true,
    stop: stopsOf(sampling["stop"] ?? request["stop_sequences"]),
    stopIds: listOf(sampling["stop_token_ids"]).filter((id) => typeof id === "number"),
    stopShown: sampling["include_stop_str_in_output"] === true,
    wish,
    tokenIds: own || request["return_token_ids"] === true,
    logprobs: logprobsOf(request, dialect),
    echo,
    detokenize: request["detokenize"] !== false,
    timingsPerToken: request["timings_per_token"] === true,
    returnProgress: request["return_progress"] === true,
    streamInterval:
      wholeNumber(request["stream_interval"], "stream_interval", { min: 1, max: 1e6 }) ?? 1,
    pingAfterMs:
      typeof request["sse_ping_interval"] === "number" ? request["sse_ping_interval"] * 1000 : null,
    fields: Object.keys(request),
    key: key >>> 1,
    raw: request,
  };
}

/** The request's prompts as token ids, by dialect. */
function promptOf(request: JsonObject, dialect: Dialect, vocabulary: Vocabulary): Prompted {
  if (dialect === "completions" || dialect === "native") {
    const prompts = promptsOf(request["prompt"]);
    const [first = []] = prompts;
    const given = request["prompt"];
    const shown = typeof given === "string" ? given : vocabulary.detokenize(first);
    return { prompts, wish: PLAIN, echo: request["echo"] === true ? shown : null };
  }
  if (dialect === "generate") {
    const { text, input_ids: ids } = request;
    return { prompts: promptsOf(text ?? ids), wish: PLAIN, echo: null };
  }
  const given = request["input_ids"] ?? request["prompt_token_ids"];
  const messages =
    dialect === "responses"
      ? messagesOfInput(request["input"], request["instructions"])
      : dialect === "messages"
        ? messagesOfAnthropic(request["messages"], request["system"])
        : request["messages"];
  const { ids, lastUserText } = readChatPrompt(messages, request["tools"]);
  const prompts = isIds(given) ? [given] : [ids];
  return { prompts, wish: readAnswerWish(request, lastUserText), echo: null };
}

/** Prompts are a text, token ids, or a list of either. */
export function promptsOf(prompt: unknown): (readonly number[])[] {
  if (typeof prompt === "string") return [tokenize(prompt)];
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.length <= PROMPTS_MAX)
    return prompt.map((one: unknown) => {
      if (typeof one === "string") return tokenize(one);
      if (isIds(one)) return one;
      throw new BodyError("prompt", "prompt must be texts or lists of token ids.");
    });
  throw new BodyError(
    "prompt",
    `prompt must be a text, a list of token ids, or up to ${PROMPTS_MAX} of either.`,
  );
}

function isIds(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((id) => Number.isInteger(id) && (id as number) >= 0)
  );
}

function boundOf(request: JsonObject, sampling: JsonObject): number | null {
  const named = [
    ["max_completion_tokens", request["max_completion_tokens"]],
    ["max_tokens", request["max_tokens"]],
    ["max_output_tokens", request["max_output_tokens"]],
    ["max_new_tokens", sampling["max_new_tokens"]],
    ["n_predict", request["n_predict"]],
  ] as const;
  const [name, max] = named.find(([, value]) => value !== undefined && value !== null) ?? [];
  if (name === undefined || max === undefined) return null;
  if (name === "n_predict" && max === -1) return null;
  return wholeNumber(max, name, { min: 1, max: 1e9 });
}

function logprobsOf(request: JsonObject, dialect: Dialect): number | null {
  const { logprobs, top_logprobs: top } = request;
  if (logprobs === undefined || logprobs === null || logprobs === false) return null;
  const range = { min: 0, max: LOGPROBS_MAX };
  if (dialect !== "completions") return wholeNumber(top, "top_logprobs", range) ?? 0;
  return logprobs === true ? 0 : wholeNumber(logprobs, "logprobs", range);
}

function stopsOf(stop: unknown): readonly string[] {
  if (stop === undefined || stop === null) return [];
  const stops = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(stops) || !stops.every((one) => typeof one === "string"))
    throw new BodyError("stop", "stop must be a text or a list of texts.");
  return stops.filter((one) => one !== "");
}

function streamOptions(request: JsonObject): StreamOptions | null {
  const options = request["stream_options"];
  if (options === null) return null;
  if (typeof options !== "object")
    throw new BodyError("stream_options", "stream_options must be an object.");
  return options as StreamOptions;
}

function wholeNumber(
  value: unknown,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | null {
  if (value === undefined || value === null) return null;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number;
  const wanted =
    value !== null && (value as number) < min
      ? `at least ${min}`
      : `a whole number from ${min} to ${max}`;
  throw new BodyError(name, `${name} must be ${wanted}, got ${JSON.stringify(value)}.`);
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}

/** @throws {BodyError} when the text is not a JSON object. */
export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BodyError("body", "the request body is not valid JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BodyError("body", "the request body must be an object.");
  return value as JsonObject;
}

/** Creation time of answers whose ids are fixed. */
export const FIXED_CREATED = 1_787_000_000;

/** A stable number for a text, for ids that depend on the request alone. */
export function stableId(text: string): string {
  return hashText(text).toString(16).padStart(32, "0");
}
