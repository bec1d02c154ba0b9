/** What went wrong on a connection to an engine. */
export type WireTrouble =
  /** What came is no answer HTTP/1.1 knows. */
  | "malformed"
  /** The connection closed before the answer was whole. */
  | "closed"
  /** No connection came about in time. */
  | "connect-timeout"
  /** What was to be sent cannot be said in HTTP/1.1. */
  | "unsendable"
  /** The replica is not there any more. */
  | "gone";

/** Ends a request on a lane; errors of the socket itself are passed on as they are. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly trouble: WireTrouble;

  constructor(trouble: WireTrouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}

export function malformed(what: string): WireError {
  return new WireError("malformed", `the answer is not HTTP/1.1: ${what}`);
}
