import type { Delta } from "./engine.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./json-fields.ts";
import { readTimings } from "./timings.ts";
import { readUsage } from "./usage.ts";
import { EMPTY_DELTA, errorOf, reasonError } from "./wire-error.ts";

type Channel = NonNullable<Delta["channel"]>;

/** Events that end a stream of the responses or the messages API. Neither needs `[DONE]`. */
const LAST_TYPES = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled",
  "message_stop",
]);

/**
 * Reads an event of the OpenAI responses API or of Anthropic messages: the `type` field says what it is.
 * `vllm/entrypoints/openai/responses/streaming_events.py`, `vllm/entrypoints/anthropic/serving.py`.
 */
export function readTypedEvent(frame: Fields): Delta {
  const type = textOf(frame["type"]) ?? "";
  const inner = fieldsOf(frame["response"]) ?? fieldsOf(frame["message"]) ?? frame;
  const base = {
    ...EMPTY_DELTA,
    usage: readUsage(inner["usage"]) ?? readUsage(frame["usage"]),
    timings: readTimings(inner) ?? readTimings(frame),
    error: errorOf(frame) ?? errorOf(inner),
  };
  if (LAST_TYPES.has(type)) {
    const error = base.error ?? reasonError(textOf(inner["status"]));
    return { ...base, error, finishReason: reasonOf(inner), done: true };
  }
  return { ...base, ...outputOf(frame, type) };
}

function outputOf(frame: Fields, type: string): Partial<Delta> {
  const delta = frame["delta"];
  // `obfuscation` and annotations also come as deltas, but never as bare text under these types.
  if (typeof delta === "string") return written(delta.length, channelOf(type));
  const begun = fieldsOf(frame["item"]) ?? fieldsOf(frame["content_block"]);
  if (begun !== null) return begunOutput(begun, type);
  const part = fieldsOf(delta);
  if (part === null) return {};
  const text = ["text", "thinking", "partial_json"]
    .map((name) => textOf(part[name]) ?? "")
    .join("");
  const finishReason = textOf(part["stop_reason"]);
  return { ...written(text.length, channelOf(textOf(part["type"]) ?? "")), finishReason };
}

/** A tool call is announced by its name, before any argument: that is output, as in a chat's tool call. */
function begunOutput(block: Fields, type: string): Partial<Delta> {
  if (type !== "response.output_item.added" && type !== "content_block_start") return {};
  const name = textOf(block["name"]) ?? "";
  const text = (textOf(block["text"]) ?? "") + (textOf(block["thinking"]) ?? "");
  return name === ""
    ? written(text.length, channelOf(textOf(block["type"]) ?? ""))
    : written(name.length, "tool");
}

/** A whole answer of the responses API. */
export function readResponse(answer: Fields): Delta {
  let outputChars = 0;
  let channel: Channel | null = null;
  for (const item of listOf(answer["output"])) {
    const kind = textOf(item["type"]) ?? "message";
    const call = (textOf(item["name"]) ?? "") + (textOf(item["arguments"]) ?? "");
    const parts = [...listOf(item["content"]), ...listOf(item["summary"])];
    const text = parts
      .map((part) => textOf(part["text"]) ?? textOf(part["refusal"]) ?? "")
      .join("");
    if (text.length + call.length > 0) channel = channelOf(kind);
    outputChars += text.length + call.length;
  }
  const whole = wholeOf(answer);
  const error = whole.error ?? reasonError(textOf(answer["status"]));
  return { ...whole, error, outputChars, channel, finishReason: reasonOf(answer) };
}

/** A whole Anthropic message. */
export function readMessage(answer: Fields): Delta {
  let outputChars = 0;
  let channel: Channel | null = null;
  for (const block of listOf(answer["content"])) {
    const input = block["input"] === undefined ? "" : JSON.stringify(block["input"]);
    const said = textOf(block["text"]) ?? textOf(block["thinking"]) ?? "";
    const name = textOf(block["name"]) ?? "";
    outputChars += said.length + name.length + input.length;
    channel = channelOf(textOf(block["type"]) ?? "text");
  }
  return { ...wholeOf(answer), outputChars, channel, finishReason: textOf(answer["stop_reason"]) };
}

function wholeOf(answer: Fields): Delta {
  return {
    ...EMPTY_DELTA,
    usage: readUsage(answer["usage"]),
    timings: readTimings(answer),
    error: errorOf(answer),
    done: true,
  };
}

/** Why a response ended: what cut it short, where it says so, else its status. */
function reasonOf(response: Fields): string | null {
  return textOf(fieldsOf(response["incomplete_details"])?.["reason"]) ?? textOf(response["status"]);
}

function written(outputChars: number, channel: Channel): Partial<Delta> {
  return outputChars === 0 ? {} : { outputChars, channel };
}

function channelOf(type: string): Channel {
  if (/reasoning|thinking/.test(type)) return "reasoning";
  if (/function_call|tool|json|arguments|_call_code/.test(type)) return "tool";
  return type.includes("refusal") ? "refusal" : "content";
}
