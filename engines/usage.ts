import type { Usage } from "./engine.ts";
import { countOf, fieldsOf } from "./json-fields.ts";

/**
 * Reads a usage object in any of the shapes engines send: OpenAI chat and completions
 * (`prompt_tokens`, `completion_tokens`, `*_details`), OpenAI responses and Anthropic messages
 * (`input_tokens`, `output_tokens`, `cache_read_input_tokens`), SGLang's flat `reasoning_tokens`, DeepSeek's
 * `prompt_cache_hit_tokens`, and the bare `total_tokens` of a rerank, which has input alone.
 * `null` when the value holds no count at all.
 */
export function readUsage(value: unknown): Usage | null {
  const usage = fieldsOf(value);
  if (usage === null) return null;
  const cacheRead = countOf(usage["cache_read_input_tokens"]);
  const cacheWritten = countOf(usage["cache_creation_input_tokens"]);
  const inputDetails =
    fieldsOf(usage["prompt_tokens_details"]) ?? fieldsOf(usage["input_tokens_details"]);
  const outputDetails =
    fieldsOf(usage["completion_tokens_details"]) ?? fieldsOf(usage["output_tokens_details"]);
  const input =
    countOf(usage["prompt_tokens"]) ??
    withCached(countOf(usage["input_tokens"]), cacheRead, cacheWritten);
  const output = countOf(usage["completion_tokens"]) ?? countOf(usage["output_tokens"]);
  const read: Usage = {
    inputTokens: input ?? (output === null ? countOf(usage["total_tokens"]) : null),
    outputTokens: output,
    cachedInputTokens:
      countOf(inputDetails?.["cached_tokens"]) ??
      cacheRead ??
      countOf(usage["prompt_cache_hit_tokens"]),
    reasoningTokens:
      countOf(outputDetails?.["reasoning_tokens"]) ?? countOf(usage["reasoning_tokens"]),
  };
  return Object.values(read).every((tokens) => tokens === null) ? null : read;
}

/** A later usage wins field by field: Anthropic sends input with the first event and output with the last. */
export function mergeUsage(earlier: Usage | null, later: Usage | null): Usage | null {
  if (earlier === null || later === null) return later ?? earlier;
  return {
    inputTokens: later.inputTokens ?? earlier.inputTokens,
    outputTokens: later.outputTokens ?? earlier.outputTokens,
    cachedInputTokens: later.cachedInputTokens ?? earlier.cachedInputTokens,
    reasoningTokens: later.reasoningTokens ?? earlier.reasoningTokens,
  };
}

/**
 * Counts of different choices of one request: outputs add up. Equal inputs are one prompt, counted once; different ones
 * are the prompts of a list.
 */
export function addUsage(one: Usage | null, other: Usage | null): Usage | null {
  if (one === null || other === null) return other ?? one;
  const together = one.inputTokens === other.inputTokens ? largest : sum;
  return {
    inputTokens: together(one.inputTokens, other.inputTokens),
    outputTokens: sum(one.outputTokens, other.outputTokens),
    cachedInputTokens: together(one.cachedInputTokens, other.cachedInputTokens),
    reasoningTokens: sum(one.reasoningTokens, other.reasoningTokens),
  };
}

function largest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

function sum(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : one + other;
}

/** Anthropic counts cached tokens, read and written, beside `input_tokens`; everyone else inside. */
function withCached(
  input: number | null,
  read: number | null,
  written: number | null,
): number | null {
  return input === null ? null : input + (read ?? 0) + (written ?? 0);
}
