import type { JsonObject, JsonValue } from "../../engine.ts";
import { namedEvent } from "./frame.ts";
import type { Answer, AnswerWriter, Counts, Ending, Part, WholeChoice } from "./answer-writer.ts";

/**
 * Anthropic's Messages API as vLLM, SGLang and llama.cpp serve it: blocks that start and stop, usage split between the
 * first event and the last, `message_stop` for an end mark.
 */
export class MessagesWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #countsCacheApart: boolean;
  #blocks = 0;
  #kind: "text" | "thinking" | "tool_use" | null = null;
  #ending: Ending = { reason: "stop", matched: null };

  /** @param rule `cacheApart`: cached tokens are told beside `input_tokens`, not within (llama.cpp). */
  constructor(answer: Answer, rule: { readonly cacheApart: boolean }) {
    this.#answer = answer;
    this.#countsCacheApart = rule.cacheApart;
  }

  open(): string {
    const { promptIds } = this.#answer;
    const counts = { input: promptIds.length, output: 0, cached: 0, reasoning: 0 };
    return send("message_start", { message: this.#message([], null, counts) });
  }

  add(part: Part): string {
    const opening = this.#enter(part);
    const delta = deltaOf(part);
    if (part.text === "" || this.#kind === null) return opening;
    return opening + send("content_block_delta", { index: this.#blocks - 1, delta });
  }

  finish(part: Part, ending: Ending): string {
    this.#ending = ending;
    return this.add(part) + this.#leave();
  }

  usage(): string {
    return "";
  }

  end(counts: Counts | null): string {
    const delta = send("message_delta", {
      delta: { stop_reason: stopReason(this.#ending), stop_sequence: sequenceOf(this.#ending) },
      ...(counts === null ? {} : { usage: this.#lastUsage(counts) }),
    });
    return delta + send("message_stop", {});
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const [choice] = choices;
    if (choice === undefined) return this.#message([], "end_turn", counts);
    this.#ending = choice.ending;
    const blocks: JsonObject[] = [];
    if (choice.reasoning !== null)
      blocks.push({ type: "thinking", thinking: choice.reasoning, signature: "" });
    if (choice.text !== "") blocks.push({ type: "text", text: choice.text });
    for (const { head, arguments: text } of choice.calls)
      blocks.push({ type: "tool_use", id: head.id, name: head.name, input: parsed(text) });
    return this.#message(blocks, stopReason(choice.ending), counts);
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: send("error", { error: { type: "api_error", message } }), cut: false };
  }

  #enter(part: Part): string {
    const kind =
      part.channel === "tool" && part.call !== null
        ? "tool_use"
        : part.channel === "reasoning"
          ? "thinking"
          : "text";
    if (this.#kind === kind && !part.callBegins) return "";
    const closing = this.#leave();
    this.#kind = kind;
    const { call } = part;
    const blocks: Readonly<Record<typeof kind, JsonObject>> = {
      text: { type: "text", text: "" },
      thinking: { type: "thinking", thinking: "" },
      tool_use: { type: "tool_use", id: call?.id ?? "", name: call?.name ?? "", input: {} },
    };
    const index = this.#blocks++;
    return closing + send("content_block_start", { index, content_block: blocks[kind] });
  }

  #leave(): string {
    if (this.#kind === null) return "";
    const index = this.#blocks - 1;
    const delta = { type: "signature_delta", signature: "" };
    const signed = this.#kind === "thinking" ? send("content_block_delta", { index, delta }) : "";
    this.#kind = null;
    return signed + send("content_block_stop", { index });
  }

  #message(
    content: readonly JsonObject[],
    reason: string | null,
    counts: Counts | null,
  ): JsonObject {
    return {
      id: this.#answer.id,
      type: "message",
      role: "assistant",
      content,
      model: this.#answer.model,
      stop_reason: reason,
      stop_sequence: reason === null ? null : sequenceOf(this.#ending),
      ...(counts === null ? {} : { usage: this.#usage(counts) }),
    };
  }

  /** llama.cpp has told the input with the first event; the others tell it again. */
  #lastUsage(counts: Counts): JsonObject {
    return this.#countsCacheApart ? { output_tokens: counts.output } : this.#usage(counts);
  }

  #usage({ input, output, cached }: Counts): JsonObject {
    if (!this.#countsCacheApart) return { input_tokens: input, output_tokens: output };
    return {
      cache_read_input_tokens: cached,
      input_tokens: input - cached,
      output_tokens: output,
    };
  }
}

function send(type: string, fields: JsonObject): string {
  return namedEvent({ type, ...fields });
}

function deltaOf(part: Part): JsonObject {
  if (part.channel === "reasoning") return { type: "thinking_delta", thinking: part.text };
  if (part.call !== null) return { type: "input_json_delta", partial_json: part.text };
  return { type: "text_delta", text: part.text };
}

function stopReason({ reason, matched }: Ending): string {
  if (reason === "length") return "max_tokens";
  if (reason === "tool_calls") return "tool_use";
  return typeof matched === "string" ? "stop_sequence" : "end_turn";
}

function sequenceOf({ matched }: Ending): string | null {
  return typeof matched === "string" ? matched : null;
}

/** Arguments cut off by the length bound are no JSON; then there is nothing to hand over. */
function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return {};
  }
}
