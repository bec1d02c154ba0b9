import type { Usage } from "./engine.ts";

/**
 * Reads a usage object in any of the shapes engines send: OpenAI chat and completions
 * (`prompt_tokens`, `completion_tokens`, `*_details`), OpenAI responses and Anthropic messages
 * (`input_tokens`, `output_tokens`, `cache_read_input_tokens`), SGLang's flat `reasoning_tokens`.
 * `null` when the value holds no count at all.
 */
export function readUsage(value: unknown): Usage | null {
  const usage = field(value);
  if (usage === null) return null;
  const cacheRead = count(usage["cache_read_input_tokens"]);
  const inputDetails =
    field(usage["prompt_tokens_details"]) ?? field(usage["input_tokens_details"]);
  const outputDetails =
    field(usage["completion_tokens_details"]) ?? field(usage["output_tokens_details"]);
  const read: Usage = {
    inputTokens:
      count(usage["prompt_tokens"]) ?? withCached(count(usage["input_tokens"]), cacheRead),
    outputTokens: count(usage["completion_tokens"]) ?? count(usage["output_tokens"]),
    cachedInputTokens: count(inputDetails?.["cached_tokens"]) ?? cacheRead,
    reasoningTokens: count(outputDetails?.["reasoning_tokens"]) ?? count(usage["reasoning_tokens"]),
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

/** Anthropic counts cached tokens beside `input_tokens`, everyone else inside. */
function withCached(input: number | null, cacheRead: number | null): number | null {
  return input === null ? null : input + (cacheRead ?? 0);
}

function field(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
}

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
