import type { Timings } from "./engine.ts";
import { countOf, type Fields, fieldsOf } from "./json-fields.ts";

/**
 * Reads what llama.cpp adds to its frames (tools/server/server-task.cpp): `timings` with the last frame, or with each
 * under `timings_per_token`; `prompt_progress` while it reads the prompt, under `return_progress`.
 */
export function readTimings(frame: Fields): Timings | null {
  const timings = fieldsOf(frame["timings"]);
  const progress = fieldsOf(frame["prompt_progress"]);
  if (timings === null && progress === null) return null;
  const cachedInputTokens = countOf(timings?.["cache_n"]) ?? countOf(progress?.["cache"]);
  const read: Timings = {
    inputTokens:
      inputOf(countOf(timings?.["prompt_n"]), cachedInputTokens) ?? countOf(progress?.["total"]),
    outputTokens: countOf(timings?.["predicted_n"]),
    cachedInputTokens,
    draftTokens: countOf(timings?.["draft_n"]),
    acceptedTokens: countOf(timings?.["draft_n_accepted"]),
    prefillMs: countOf(timings?.["prompt_ms"]) ?? countOf(progress?.["time_ms"]),
    decodeMs: countOf(timings?.["predicted_ms"]),
  };
  return Object.values(read).every((value) => value === null) ? null : read;
}

/** The accounts of different choices of one request: outputs add up, the input they share is counted once. */
export function addTimings(one: Timings | null, other: Timings): Timings {
  if (one === null) return other;
  return {
    inputTokens: largest(one.inputTokens, other.inputTokens),
    outputTokens: total(one.outputTokens, other.outputTokens),
    cachedInputTokens: largest(one.cachedInputTokens, other.cachedInputTokens),
    draftTokens: total(one.draftTokens, other.draftTokens),
    acceptedTokens: total(one.acceptedTokens, other.acceptedTokens),
    prefillMs: largest(one.prefillMs, other.prefillMs),
    decodeMs: largest(one.decodeMs, other.decodeMs),
  };
}

function largest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

function total(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : one + other;
}

/** `prompt_n` counts what was processed; the cached part lies beside it. */
function inputOf(processed: number | null, cached: number | null): number | null {
  return processed === null ? null : processed + (cached ?? 0);
}
