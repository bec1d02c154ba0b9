import type { Timings } from "./engine.ts";
import { countOf, type Fields, fieldsOf } from "./json-fields.ts";

/**
 * Reads what llama.cpp adds to its frames (tools/server/server-task.cpp): `timings` with the last frame, or with each
 * under `timings_per_token`; `prompt_progress` while it reads the prompt, under `return_progress`.
 */
export function readTimings(frame: Fields): Timings | null {
  const timings = fieldsOf(frame["timings"]);
  const progress = fieldsOf(frame["prompt_progress"]);
  const cachedInputTokens = countOf(timings?.["cache_n"]) ?? countOf(progress?.["cache"]);
  const read: Timings = {
    inputTokens:
      sum(countOf(timings?.["prompt_n"]), cachedInputTokens) ?? countOf(progress?.["total"]),
    outputTokens: countOf(timings?.["predicted_n"]),
    cachedInputTokens,
    draftTokens: countOf(timings?.["draft_n"]),
    acceptedTokens: countOf(timings?.["draft_n_accepted"]),
    prefillMs: countOf(timings?.["prompt_ms"]) ?? countOf(progress?.["time_ms"]),
    decodeMs: countOf(timings?.["predicted_ms"]),
  };
  return Object.values(read).every((value) => value === null) ? null : read;
}

/** What came later wins, field by field. */
export function mergeTimings(earlier: Timings | null, later: Timings | null): Timings | null {
  if (earlier === null || later === null) return later ?? earlier;
  return {
    inputTokens: later.inputTokens ?? earlier.inputTokens,
    outputTokens: later.outputTokens ?? earlier.outputTokens,
    cachedInputTokens: later.cachedInputTokens ?? earlier.cachedInputTokens,
    draftTokens: later.draftTokens ?? earlier.draftTokens,
    acceptedTokens: later.acceptedTokens ?? earlier.acceptedTokens,
    prefillMs: later.prefillMs ?? earlier.prefillMs,
    decodeMs: later.decodeMs ?? earlier.decodeMs,
  };
}

/** `prompt_n` counts what was processed; the cached part lies beside it. */
function sum(processed: number | null, cached: number | null): number | null {
  return processed === null ? null : processed + (cached ?? 0);
}
