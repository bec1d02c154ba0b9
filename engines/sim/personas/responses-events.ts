import type { JsonObject, JsonValue } from "../../engine.ts";
import { namedEvent } from "./frame.ts";
import type { Answer, AnswerWriter, Counts, Ending, Part, WholeChoice } from "./answer-writer.ts";

/** One item of a response's output while it is written. */
interface OpenItem {
  readonly kind: "message" | "reasoning" | "function_call";
  readonly id: string;
  readonly call: Part["call"];
  text: string;
}

/**
 * The Responses API as vLLM, SGLang, TensorRT-LLM and llama.cpp serve it: named events, items that open and close, no
 * `[DONE]` (vllm/entrypoints/openai/responses/streaming_events.py).
 */
export class ResponsesWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #done: JsonObject[] = [];
  #item: OpenItem | null = null;
  #sequence = 0;
  #ending: Ending = { reason: "stop", matched: null };

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  open(): string {
    const response = this.#response("in_progress", [], null);
    return (
      this.#send("response.created", { response }) +
      this.#send("response.in_progress", { response })
    );
  }

  add(part: Part): string {
    const opening = this.#enter(part);
    const item = this.#item;
    if (item === null || part.text === "") return opening;
    item.text += part.text;
    const at = { item_id: item.id, output_index: this.#done.length };
    if (item.kind === "function_call")
      return (
        opening + this.#send("response.function_call_arguments.delta", { ...at, delta: part.text })
      );
    const type =
      item.kind === "reasoning" ? "response.reasoning_text.delta" : "response.output_text.delta";
    const more = item.kind === "reasoning" ? {} : { logprobs: [] };
    return opening + this.#send(type, { ...at, content_index: 0, delta: part.text, ...more });
  }

  finish(part: Part, ending: Ending): string {
    this.#ending = ending;
    return this.add(part) + this.#leave();
  }

  usage(): string {
    return "";
  }

  end(counts: Counts | null): string {
    const response = this.#response(statusOf(this.#ending), this.#done, counts);
    return this.#send("response.completed", { response });
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const [choice] = choices;
    if (choice === undefined) return this.#response("completed", [], counts);
    const items: JsonObject[] = [];
    if (choice.reasoning !== null)
      items.push(
        closed({ kind: "reasoning", id: this.#itemId(0), call: null, text: choice.reasoning }),
      );
    if (choice.text !== "" || choice.calls.length === 0)
      items.push(
        closed({ kind: "message", id: this.#itemId(items.length), call: null, text: choice.text }),
      );
    for (const call of choice.calls)
      items.push(
        closed({
          kind: "function_call",
          id: this.#itemId(items.length),
          call: call.head,
          text: call.arguments,
        }),
      );
    this.#ending = choice.ending;
    return this.#response(statusOf(choice.ending), items, counts);
  }

  failure(message: string): { frames: string; cut: boolean } {
    return {
      frames: this.#send("error", { message, code: "server_error", param: null }),
      cut: false,
    };
  }

  /** Closes the open item and opens another when this part belongs to a different one. */
  #enter(part: Part): string {
    const kind =
      part.channel === "tool" && part.call !== null
        ? "function_call"
        : part.channel === "reasoning"
          ? "reasoning"
          : "message";
    if (this.#item?.kind === kind && !part.callBegins) return "";
    const closing = this.#leave();
    const id = this.#itemId(this.#done.length);
    const item: OpenItem = { kind, id, call: part.call, text: "" };
    this.#item = item;
    const at = { output_index: this.#done.length };
    const added = this.#send("response.output_item.added", { ...at, item: opened(item) });
    if (kind !== "message") return closing + added;
    const content = { item_id: id, ...at, content_index: 0, part: textPart("") };
    return closing + added + this.#send("response.content_part.added", content);
  }

  #leave(): string {
    const item = this.#item;
    if (item === null) return "";
    this.#item = null;
    const at = { item_id: item.id, output_index: this.#done.length };
    const whole = closed(item);
    let events = "";
    if (item.kind === "message") {
      const text = { ...at, content_index: 0, text: item.text, logprobs: [] };
      const part = { ...at, content_index: 0, part: textPart(item.text) };
      events =
        this.#send("response.output_text.done", text) +
        this.#send("response.content_part.done", part);
    } else if (item.kind === "reasoning") {
      events = this.#send("response.reasoning_text.done", {
        ...at,
        content_index: 0,
        text: item.text,
      });
    } else {
      events = this.#send("response.function_call_arguments.done", {
        ...at,
        name: item.call?.name ?? "",
        arguments: item.text,
      });
    }
    events += this.#send("response.output_item.done", {
      output_index: this.#done.length,
      item: whole,
    });
    this.#done.push(whole);
    return events;
  }

  #itemId(index: number): string {
    return `item_${this.#answer.id}_${index}`;
  }

  #send(type: string, fields: JsonObject): string {
    return namedEvent({ type, sequence_number: this.#sequence++, ...fields });
  }

  #response(status: string, output: readonly JsonObject[], counts: Counts | null): JsonObject {
    const { id, model, created } = this.#answer;
    return {
      id,
      object: "response",
      created_at: created(),
      status,
      background: false,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions: null,
      metadata: null,
      model,
      output,
      parallel_tool_calls: true,
      temperature: 1,
      tool_choice: "auto",
      tools: [],
      top_p: 1,
      truncation: "disabled",
      usage: counts === null ? null : usageOf(counts),
    };
  }
}

function statusOf(ending: Ending): string {
  return ending.reason === "length" ? "incomplete" : "completed";
}

function textPart(text: string): JsonObject {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function opened({ kind, id, call }: OpenItem): JsonObject {
  if (kind === "message")
    return { id, type: "message", status: "in_progress", role: "assistant", content: [] };
  if (kind === "reasoning")
    return { id, type: "reasoning", status: "in_progress", summary: [], content: [] };
  return {
    id,
    type: "function_call",
    status: "in_progress",
    call_id: call?.id ?? "",
    name: call?.name ?? "",
    arguments: "",
  };
}

function closed(item: OpenItem): JsonObject {
  const base = { ...opened(item), status: "completed" };
  if (item.kind === "message") return { ...base, content: [textPart(item.text)] };
  if (item.kind === "reasoning")
    return { ...base, content: [{ type: "reasoning_text", text: item.text }] };
  return { ...base, arguments: item.text };
}

function usageOf(counts: Counts): JsonObject {
  return {
    input_tokens: counts.input,
    input_tokens_details: { cached_tokens: counts.cached },
    output_tokens: counts.output,
    output_tokens_details: { reasoning_tokens: counts.reasoning },
    total_tokens: counts.input + counts.output,
  };
}
