import type { ErrorCode } from "../errors.ts";

/** What kept a try from giving an answer; decides whether and how to go on. */
export type FailureCause =
  /** No connection came about: the engine was never asked. */
  | "refused"
  /** A kept-alive socket turned out to be closed: the engine was never asked either. */
  | "stale"
  /** The connection broke before a byte of the answer. */
  | "reset"
  /** Not HTTP, or an answer that ended without having begun. */
  | "malformed"
  /** An answer of a status another replica may do better at. */
  | "status"
  /** A 200 whose first event is an error. */
  | "error-event"
  /** One of our time limits. */
  | "timeout"
  /** An operator took the replica out. */
  | "disabled"
  /** We could not even try: no file descriptor left, a header that cannot be sent. */
  | "own";

/** An engine's refusal kept for the client, in case nobody does better. */
export interface HeldAnswer {
  readonly status: number;
  readonly message: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** What its `Retry-After` said, in ms; `null` when it said nothing usable. */
  readonly retryAfterMs: number | null;
}

/** Nothing of the try reached the client: another replica may answer. */
export interface Unanswered {
  readonly kind: "unanswered";
  readonly cause: FailureCause;
  readonly code: ErrorCode;
  readonly why: string;
  readonly status: number | null;
  readonly held: HeldAnswer | null;
}

/** How one try at one replica came out. */
export type AttemptResult =
  /** The whole answer was written to the client. */
  | { readonly kind: "answered" }
  | Unanswered
  /** Part of it reached the client. */
  | {
      readonly kind: "broken";
      readonly code: ErrorCode;
      /** An event that says so can still be put behind it: it is a stream, and no event is half out. */
      readonly takesEvent: boolean;
    }
  /** The client left, or took nothing for so long that it was sent away. */
  | { readonly kind: "cancelled"; readonly cause?: "client_stall" };
