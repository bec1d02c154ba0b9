/**
 * Decides when requests are due. Pure arithmetic over elapsed time and count: a pacer holds no timer.
 * Times are ms since the stage began.
 */
export interface Pacer {
  /** When request number `sent` (0-based) is due, given how far the stage is. */
  next(elapsedMs: number, inFlight: number, sent: number): Pace;
  /** Intended rate in requests per second at that moment; `null` for closed loops, which have none. */
  rateAt(elapsedMs: number): number | null;
}

export type Pace =
  /** Due at `atMs` (which may lie in the past: then it is late and must be sent at once). */
  | { readonly kind: "due"; readonly atMs: number }
  /** Nothing until a request in flight ends (closed loop at its limit). */
  | { readonly kind: "full" }
  | { readonly kind: "done" };
