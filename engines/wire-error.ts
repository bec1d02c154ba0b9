import type { Delta } from "./engine.ts";
import { type Fields, fieldsOf, textOf } from "./json-fields.ts";

/** What an event says when it says nothing: role frames, comments, pings. */
export const EMPTY_DELTA: Delta = {
  outputChars: 0,
  channel: null,
  tokenIds: null,
  logprobTokens: null,
  finishReason: null,
  usage: null,
  timings: null,
  addsUp: false,
  error: null,
  done: false,
};

/**
 * Reasons that are no finish: the engine gave the request up. SGLang writes `abort` when an operator, a timeout or a
 * more urgent request ended it (managers/scheduler.py); vLLM `error` when its cache transfer failed (v1/engine/__init__.py);
 * the responses API `failed` and `cancelled`.
 */
const GIVEN_UP = new Set(["abort", "error", "failed", "cancelled"]);

/**
 * The error in a frame, whatever its status line promised. Errors come nested (vLLM, llama.cpp), flat with
 * `"object":"error"` (SGLang, TensorRT-LLM, vLLM before August 2025), as a bare string (vLLM's key check, TGI), or as
 * a typed event (Anthropic, responses).
 */
export function errorOf(frame: Fields): Delta["error"] {
  const isError = frame["object"] === "error" || frame["type"] === "error";
  const error = frame["error"] ?? (isError ? frame : null);
  if (error === null || error === undefined) return null;
  if (typeof error === "string") return { message: error, code: textOf(frame["error_type"]) };
  const known = fieldsOf(error) ?? {};
  return {
    message: textOf(known["message"]) ?? "",
    code: textOf(known["code"]) ?? textOf(known["type"]),
  };
}

/** A finish reason that says the engine gave up, as the error it is. */
export function reasonError(finishReason: string | null): Delta["error"] {
  if (finishReason === null || !GIVEN_UP.has(finishReason)) return null;
  return { message: `the engine gave the request up: ${finishReason}`, code: finishReason };
}
