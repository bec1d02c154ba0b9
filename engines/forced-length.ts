import type { JsonObject } from "./engine.ts";

/**
 * What would end an answer before its length, or set another one: stop strings and ids, a grammar that can be
 * satisfied, and the newer name of `max_tokens`, which wins over it (vllm/entrypoints/openai/chat_completion/protocol.py).
 */
const SHORTENING = [
  "max_completion_tokens",
  "stop",
  "stop_token_ids",
  "response_format",
  "structured_outputs",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "grammar",
  "json_schema",
  "n_predict",
] as const;

/** The body with a length of its own: `force` added, and nothing left that would cut it short. */
export function withLength(body: JsonObject, force: JsonObject): JsonObject {
  const kept = Object.entries(body).filter(
    ([name]) => !(SHORTENING as readonly string[]).includes(name),
  );
  return { ...Object.fromEntries(kept), ...force };
}

/** vLLM, SGLang and TensorRT-LLM agree: as many as allowed, no fewer, and the end mark means nothing. */
export function minMaxLength(body: JsonObject, tokens: number): JsonObject {
  return withLength(body, { max_tokens: tokens, min_tokens: tokens, ignore_eos: true });
}
