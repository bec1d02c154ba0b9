import type { Delta } from "./engine.ts";
import type { InferenceRoute } from "./exchange.ts";
import type { SseEvent } from "./sse.ts";
import { readUsage } from "./usage.ts";

/** What an event says when it says nothing: role frames, comments, pings. */
export const EMPTY_DELTA: Delta = {
  outputChars: 0,
  channel: null,
  tokenIds: null,
  finishReason: null,
  usage: null,
  error: null,
  done: false,
};

type Fields = Readonly<Record<string, unknown>>;
type Channel = NonNullable<Delta["channel"]>;

/** Fields of a delta or message that hold output, and the channel each is on. */
const OUTPUT_FIELDS: readonly (readonly [string, Channel])[] = [
  ["content", "content"],
  ["text", "content"],
  ["reasoning", "reasoning"],
  ["reasoning_content", "reasoning"],
  ["refusal", "refusal"],
];

/**
 * Reads one event in the OpenAI shapes all engines share: chat and completion chunks, responses events,
 * Anthropic message events, error frames and `[DONE]`. Data that is not JSON is an error of the engine.
 */
export function readEventDelta(event: SseEvent, route: InferenceRoute): Delta {
  const data = event.data.trim();
  if (data === "[DONE]") return { ...EMPTY_DELTA, done: true };
  if (data === "") return EMPTY_DELTA;
  const frame = parse(data);
  if (frame === null) return malformed(data);
  if (route === "messages" || route === "responses") return readTypedEvent(frame);
  return readChoices(frame);
}

/** Reads a whole answer that was not streamed. */
export function readAnswerDelta(body: string, route: InferenceRoute): Delta {
  const answer = parse(body);
  if (answer === null) return malformed(body);
  if (route === "messages")
    return {
      ...readContentBlocks(answer["content"]),
      ...usageOf(answer),
      finishReason: text(answer["stop_reason"]),
      done: true,
    };
  if (route === "responses")
    return {
      ...EMPTY_DELTA,
      ...usageOf(answer),
      ...errorOf(answer),
      outputChars: JSON.stringify(answer["output"] ?? "").length,
      channel: "content",
      finishReason: text(answer["status"]),
      done: true,
    };
  return { ...readChoices(answer), done: true };
}

function readChoices(frame: Fields): Delta {
  let outputChars = 0;
  let channel: Channel | null = null;
  let tokenIds: number | null = null;
  let finishReason: string | null = null;
  for (const choice of list(frame["choices"])) {
    const source = fields(choice["delta"]) ?? fields(choice["message"]) ?? choice;
    const part = outputOf(source);
    if (part.chars > 0) channel = part.channel;
    outputChars += part.chars;
    if (Array.isArray(choice["token_ids"])) tokenIds = (tokenIds ?? 0) + choice["token_ids"].length;
    finishReason = text(choice["finish_reason"]) ?? finishReason;
  }
  return {
    ...EMPTY_DELTA,
    outputChars,
    channel,
    tokenIds,
    finishReason,
    ...usageOf(frame),
    ...errorOf(frame),
  };
}

function outputOf(source: Fields): { chars: number; channel: Channel | null } {
  let chars = 0;
  let channel: Channel | null = null;
  for (const [name, on] of OUTPUT_FIELDS) {
    const value = source[name];
    if (typeof value !== "string" || value === "") continue;
    chars += value.length;
    channel = on;
  }
  for (const call of list(source["tool_calls"])) {
    const named = fields(call["function"]);
    const written =
      (text(named?.["name"]) ?? "").length + (text(named?.["arguments"]) ?? "").length;
    if (written === 0) continue;
    chars += written;
    channel = "tool";
  }
  return { chars, channel };
}

/** Responses API and Anthropic messages: the `type` field says what the event is. */
function readTypedEvent(frame: Fields): Delta {
  const type = text(frame["type"]) ?? "";
  const inner = fields(frame["response"]) ?? fields(frame["message"]) ?? frame;
  const base = {
    ...EMPTY_DELTA,
    ...usageOf(inner),
    ...usageOf(frame),
    ...errorOf(frame),
    ...errorOf(inner),
  };
  if (type === "response.completed" || type === "response.incomplete" || type === "message_stop") {
    return { ...base, finishReason: text(inner["status"]), done: true };
  }
  const delta = frame["delta"];
  if (typeof delta === "string") {
    return { ...base, outputChars: delta.length, channel: channelOfType(type) };
  }
  const part = fields(delta);
  if (part === null) return base;
  const written = ["text", "thinking", "partial_json"].map((name) => text(part[name]) ?? "");
  const outputChars = written.join("").length;
  const channel = outputChars === 0 ? null : channelOfType(text(part["type"]) ?? "");
  return { ...base, outputChars, channel, finishReason: text(part["stop_reason"]) };
}

function channelOfType(type: string): Channel {
  if (/reasoning|thinking/.test(type)) return "reasoning";
  if (/function_call|json/.test(type)) return "tool";
  return type.includes("refusal") ? "refusal" : "content";
}

function readContentBlocks(content: unknown): Delta {
  let outputChars = 0;
  let channel: Channel | null = null;
  for (const block of list(content)) {
    const type = text(block["type"]) ?? "text";
    outputChars += (
      text(block["text"]) ??
      text(block["thinking"]) ??
      JSON.stringify(block["input"] ?? "")
    ).length;
    channel = type === "tool_use" ? "tool" : channelOfType(type);
  }
  return { ...EMPTY_DELTA, outputChars, channel };
}

function usageOf(frame: Fields): Partial<Delta> {
  const usage = readUsage(frame["usage"]) ?? timingsOf(frame["timings"]);
  return usage === null ? {} : { usage };
}

/** llama.cpp sends `timings` where it sends no usage: tokens predicted, processed and taken from cache. */
function timingsOf(value: unknown): Delta["usage"] {
  const timings = fields(value);
  const outputTokens = timings?.["predicted_n"];
  const processed = timings?.["prompt_n"];
  const cached = timings?.["cache_n"];
  if (typeof outputTokens !== "number") return null;
  const cachedInputTokens = typeof cached === "number" ? cached : null;
  const inputTokens = typeof processed === "number" ? processed + (cachedInputTokens ?? 0) : null;
  return { inputTokens, outputTokens, cachedInputTokens, reasoningTokens: null };
}

/** Errors come nested, flat (`"object":"error"`), as a bare string, or as a typed event. */
function errorOf(frame: Fields): Partial<Delta> {
  const isError = frame["object"] === "error" || frame["type"] === "error";
  const error = frame["error"] ?? (isError ? frame : null);
  if (error === null || error === undefined) return {};
  if (typeof error === "string") return { error: { message: error, code: null } };
  const known = fields(error) ?? {};
  const code = text(known["code"]) ?? text(known["type"]);
  return {
    error: { message: text(known["message"]) ?? "", code },
  };
}

function malformed(data: string): Delta {
  return {
    ...EMPTY_DELTA,
    error: { message: `not JSON: ${data.slice(0, 80)}`, code: "upstream_malformed" },
  };
}

function parse(data: string): Fields | null {
  try {
    return fields(JSON.parse(data));
  } catch {
    return null;
  }
}

function fields(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value)
    ? value.map((item) => fields(item)).filter((item) => item !== null)
    : [];
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
