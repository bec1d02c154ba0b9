import type { StreamOptions } from "./personas/persona.ts";
import { hashText, tokenize } from "./text.ts";

/** An inference request as the simulated engine understands it. */
export interface InferenceBody {
  readonly model: string;
  readonly promptIds: readonly number[];
  readonly streamed: boolean;
  readonly streamOptions: StreamOptions | null;
  /** What the client allows; `null` when it set no bound. */
  readonly outputTokensMax: number | null;
  readonly outputTokensMin: number;
  readonly ignoresEnd: boolean;
  /** Names of all top-level fields, for engines that refuse strangers. */
  readonly fields: readonly string[];
  /** Equal prompts and seeds give equal answers. */
  readonly key: number;
}

/** A body the engine refuses; `param` names the field. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly param: string;

  constructor(param: string, message: string) {
    super(message);
    this.param = param;
  }
}

/** Tokens a chat template puts around each message. */
const TEMPLATE_IDS: readonly number[] = [9_000_001, 9_000_002, 9_000_003, 9_000_004];
const GENERATION_IDS: readonly number[] = [9_000_001, 9_000_005, 9_000_003];

/**
 * Reads the body of a chat or text completion.
 * @throws {BodyError} for what no engine would take.
 */
export function readInferenceBody(body: string, chat: boolean): InferenceBody {
  const request = parseObject(body);
  const promptIds = chat ? chatIds(request["messages"]) : promptIdsOf(request["prompt"]);
  const max = request["max_completion_tokens"] ?? request["max_tokens"];
  if (max !== undefined && max !== null && (!Number.isInteger(max) || (max as number) < 1)) {
    throw new BodyError("max_tokens", `max_tokens must be at least 1, got ${JSON.stringify(max)}.`);
  }
  const min = request["min_tokens"];
  let key = typeof request["seed"] === "number" ? request["seed"] : 0;
  for (const id of promptIds) key = Math.imul(key ^ id, 0x01000193);
  return {
    model: typeof request["model"] === "string" ? request["model"] : "",
    promptIds,
    streamed: request["stream"] === true,
    streamOptions: objectOrNull(request["stream_options"]),
    outputTokensMax: typeof max === "number" ? max : null,
    outputTokensMin: typeof min === "number" ? min : 0,
    ignoresEnd: request["ignore_eos"] === true,
    fields: Object.keys(request),
    key: key >>> 1,
  };
}

function objectOrNull(value: unknown): StreamOptions | null {
  return typeof value === "object" ? value : null;
}

function parseObject(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new BodyError("body", "the request body is not valid JSON.");
  }
  if (typeof value !== "object" || value === null)
    throw new BodyError("body", "the request body must be an object.");
  return value as Record<string, unknown>;
}

function chatIds(messages: unknown): number[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new BodyError("messages", "messages must be a list of at least one message.");
  }
  const ids: number[] = [];
  for (const message of messages as readonly Record<string, unknown>[]) {
    ids.push(...TEMPLATE_IDS, hashText(String(message["role"])));
    for (const id of tokenize(contentText(message["content"]))) ids.push(id);
  }
  ids.push(...GENERATION_IDS);
  return ids;
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as readonly Record<string, unknown>[])
    .map((part) => (typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}

/** A prompt is a text, a list of token ids, or a list holding one of either. */
function promptIdsOf(prompt: unknown): number[] {
  if (typeof prompt === "string") return tokenize(prompt);
  if (Array.isArray(prompt) && prompt.length > 0) {
    if (prompt.every((id) => typeof id === "number")) return prompt;
    if (prompt.length === 1) return promptIdsOf(prompt[0]);
  }
  throw new BodyError("prompt", "prompt must be a text or a list of token ids.");
}
