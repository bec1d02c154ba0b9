import type { Delta } from "./engine.ts";
import type { InferenceRoute } from "./exchange.ts";
import { type Fields, fieldsOf, listOf, parseFields, textOf } from "./json-fields.ts";
import type { SseEvent } from "./sse.ts";
import { readTimings } from "./timings.ts";
import { readMessage, readResponse, readTypedEvent } from "./typed-delta.ts";
import { readUsage } from "./usage.ts";
import { EMPTY_DELTA, errorOf, reasonError } from "./wire-error.ts";

type Channel = NonNullable<Delta["channel"]>;

/** Fields of a delta or message that hold output as text, and the channel each is on. */
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
  // TensorRT-LLM ends its first frame with a blank before the line end.
  const data = event.data.trim();
  if (data === "[DONE]") return { ...EMPTY_DELTA, done: true };
  // llama.cpp writes `null` where a stream of several prompts begins (tools/server/server-context.cpp).
  if (data === "" || data === "null") return EMPTY_DELTA;
  const frame = parseFields(data);
  if (frame === null) return malformed(data);
  if (event.name === "error")
    return { ...EMPTY_DELTA, error: errorOf(frame) ?? errorOf({ error: frame }) };
  if (route === "messages" || route === "responses") return readTypedEvent(frame);
  return readChoices(frame);
}

/** Reads a whole answer that was not streamed. */
export function readAnswerDelta(body: string, route: InferenceRoute): Delta {
  const answer = parseFields(body);
  if (answer === null) return malformed(body);
  if (route === "messages") return readMessage(answer);
  if (route === "responses") return readResponse(answer);
  return { ...readChoices(answer), done: true };
}

function readChoices(frame: Fields): Delta {
  let outputChars = 0;
  let channel: Channel | null = null;
  let tokenIds: number | null = null;
  let logprobTokens: number | null = null;
  let finishReason: string | null = null;
  for (const choice of listOf(frame["choices"])) {
    const source = fieldsOf(choice["delta"]) ?? fieldsOf(choice["message"]) ?? choice;
    const part = outputOf(source);
    channel = part.channel ?? channel;
    outputChars += part.chars;
    tokenIds = added(tokenIds, lengthOf(choice["token_ids"] ?? choice["response_token_ids"]));
    const logprobs = fieldsOf(choice["logprobs"]);
    logprobTokens = added(logprobTokens, lengthOf(logprobs?.["content"] ?? logprobs?.["tokens"]));
    finishReason = textOf(choice["finish_reason"]) ?? finishReason;
  }
  const usage = readUsage(frame["usage"]) ?? readUsage(fieldsOf(frame["x_groq"])?.["usage"]);
  const timings = readTimings(frame);
  const error = errorOf(frame) ?? reasonError(finishReason);
  return {
    ...EMPTY_DELTA,
    outputChars,
    channel,
    tokenIds,
    logprobTokens,
    finishReason,
    usage,
    timings,
    error,
  };
}

function outputOf(source: Fields): { chars: number; channel: Channel | null } {
  let chars = 0;
  let channel: Channel | null = null;
  // Of the end of reasoning and the first word of the answer in one delta (vLLM's reasoning parsers) the answer counts.
  const add = (length: number, on: Channel): void => {
    chars += length;
    if (length > 0 && (channel === null || on !== "reasoning")) channel = on;
  };
  for (const [name, on] of OUTPUT_FIELDS) add(textOf(source[name])?.length ?? 0, on);
  // Content in parts: Mistral's hosted models think and speak in one list.
  for (const part of listOf(source["content"])) {
    add(textOf(part["text"])?.length ?? 0, "content");
    const thinking = textOf(part["thinking"]) ?? listOf(part["thinking"]).map(textOfPart).join("");
    add(thinking.length, "reasoning");
  }
  for (const call of listOf(source["tool_calls"]))
    add(callLength(fieldsOf(call["function"])), "tool");
  // The form before tool calls, still written by older servers.
  add(callLength(fieldsOf(source["function_call"])), "tool");
  const audio = fieldsOf(source["audio"]);
  add((textOf(audio?.["transcript"]) ?? textOf(audio?.["data"]) ?? "").length, "content");
  return { chars, channel };
}

function textOfPart(part: Fields): string {
  return textOf(part["text"]) ?? "";
}

/** Arguments come as text; some servers (Ollama's models, older TGI) write them as an object. */
function callLength(call: Fields | null): number {
  if (call === null) return 0;
  const given = call["arguments"];
  const written = textOf(given) ?? (fieldsOf(given) === null ? "" : JSON.stringify(given));
  return (textOf(call["name"]) ?? "").length + written.length;
}

function lengthOf(value: unknown): number | null {
  return Array.isArray(value) ? value.length : null;
}

function added(total: number | null, more: number | null): number | null {
  return more === null ? total : (total ?? 0) + more;
}

function malformed(data: string): Delta {
  return {
    ...EMPTY_DELTA,
    error: { message: `not JSON: ${data.slice(0, 80)}`, code: "upstream_malformed" },
  };
}
