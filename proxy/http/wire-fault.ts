import type { ErrorCode } from "../errors.ts";
import { WireError } from "../upstream/wire/wire-error.ts";
import type { FailureCause } from "./attempt-result.ts";

/** What an error of a lane means for the request. */
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
const BUGS = new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError"]);

/** Reads an error of a lane or of the socket under it. */
export function faultOf(error: Error, { written, reused, answered }: Progress): Fault {
  const code = "code" in error ? String(error.code) : "";
  const trouble = error instanceof WireError ? error.trouble : null;
  if (OUR_LIMITS.has(code)) return { cause: "own", code: "overloaded" };
  if (trouble === "unsendable") return { cause: "own", code: "bad_request" };
  // A lane ends a request when a handler of ours throws; an engine cannot make a TypeError.
  if (code === "" && BUGS.has(error.name)) return { cause: "own", code: "internal_error" };
  if (!written) return { cause: "refused", code: "upstream_connect_failed" };
  if (trouble === "malformed") return { cause: "malformed", code: "upstream_malformed" };
  if (reused && !answered) return { cause: "stale", code: "upstream_cut" };
  return { cause: "reset", code: "upstream_cut" };
}
