import type { ErrorCode } from "../errors.ts";
import type { FailureCause } from "./attempt-result.ts";

/** What an error of the dispatcher means for the request. */
export interface Fault {
  readonly cause: FailureCause;
  readonly code: ErrorCode;
}

/** How far a try had come when the error struck. */
export interface Progress {
  /** A socket was in hand and the request was being written. */
  readonly written: boolean;
  /** That socket had carried a request before. */
  readonly reused: boolean;
  /** Response headers had arrived. */
  readonly answered: boolean;
}

/** This machine ran out of something: no replica is to blame. */
const OUR_LIMITS = new Set(["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL", "ENOMEM"]);
/** The request cannot be written as it is; the client's headers or method broke a rule of HTTP. */
const OUR_REFUSALS = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED"]);

const BUGS = new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError"]);

/** Reads an error of undici or of the socket under it. */
export function faultOf(error: Error, { written, reused, answered }: Progress): Fault {
  const code = "code" in error ? String(error.code) : "";
  if (OUR_LIMITS.has(code)) return { cause: "own", code: "overloaded" };
  if (OUR_REFUSALS.has(code)) return { cause: "own", code: "bad_request" };
  // undici ends a request when a handler of ours throws; an engine cannot make a TypeError.
  if (code === "" && BUGS.has(error.name)) return { cause: "own", code: "internal_error" };
  if (!written) return { cause: "refused", code: "upstream_connect_failed" };
  if (isMalformed(error, code, answered)) return { cause: "malformed", code: "upstream_malformed" };
  if (reused && !answered) return { cause: "stale", code: "upstream_cut" };
  return { cause: "reset", code: "upstream_cut" };
}

/**
 * Whether what came was no answer at all: llhttp gave up on it, its lengths contradict each other, its headers have no end,
 * or it was a 100 or 101 nobody had asked for (undici, lib/dispatcher/client-h1.js, onHeadersComplete).
 */
function isMalformed(error: Error, code: string, answered: boolean): boolean {
  if (error.name === "HTTPParserError" || code.startsWith("HPE_")) return true;
  if (code === "UND_ERR_HEADERS_OVERFLOW") return true;
  if (code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") return !answered;
  return error.message === "bad upgrade" || error.message === "bad response";
}
