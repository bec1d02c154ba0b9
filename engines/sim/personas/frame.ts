import type { JsonObject, JsonValue } from "../../engine.ts";
import type { Answer, Counts } from "./answer-writer.ts";
import type { Page, Refusal } from "./persona.ts";

export const DONE = "data: [DONE]\n\n";

export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** What every frame and every whole answer of the OpenAI API begins with, in this order. */
export function answerHead(
  { id, created, model }: Answer,
  object: "chat.completion.chunk" | "chat.completion" | "text_completion",
): { id: string; object: string; created: number; model: string } {
  return { id, object, created: created(), model };
}

/** An event with a name of its own, as the Responses and Messages APIs send. */
export function namedEvent(value: JsonObject & { readonly type: string }): string {
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
}

/** Stands for the text in a frame built once; no id or model name holds it. */
const MARK = "\u2402pitot-text\u2403";
const QUOTED_MARK = JSON.stringify(MARK);

/**
 * A frame of which only one text changes from token to token: built in full once, then put together from two halves.
 * What a stream says of itself need not be written out anew for each of its tokens.
 */
export class FrameTemplate {
  readonly #before: string;
  readonly #after: string;

  /** @param build makes the frame around a text; must depend on nothing else that changes. */
  constructor(build: (text: string) => string) {
    const frame = build(MARK);
    const at = frame.lastIndexOf(QUOTED_MARK);
    this.#before = frame.slice(0, at);
    this.#after = frame.slice(at + QUOTED_MARK.length);
  }

  with(text: string): string {
    return this.#before + JSON.stringify(text) + this.#after;
  }
}

export function jsonPage(value: unknown, status = 200): Page {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

export function textPage(body: string, type = "text/plain; charset=utf-8", status = 200): Page {
  return { status, type, body };
}

/** Usage as OpenAI writes it. */
export function usageOf(counts: Counts): {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
} {
  return {
    prompt_tokens: counts.input,
    total_tokens: counts.input + counts.output,
    completion_tokens: counts.output,
  };
}

/** Usage with the cached part of the prompt. */
export function usageWithCache(counts: Counts): ReturnType<typeof usageOf> & {
  prompt_tokens_details: { cached_tokens: number };
} {
  return { ...usageOf(counts), prompt_tokens_details: { cached_tokens: counts.cached } };
}

/** The flat error body SGLang and TensorRT-LLM share. */
export function flatError(refusal: Refusal, type: string): JsonValue {
  const { message, param, status } = refusal;
  return { object: "error", message, type, param, code: status };
}

/** vLLM's nested one. */
export function nestedError(refusal: Refusal, type: string): JsonValue {
  const { message, param, status } = refusal;
  return { error: { message, type, param, code: status } };
}
