import type { Pacer } from "./pacer.ts";

export interface ClosedLoopOptions {
  readonly concurrency: number;
  /** Requests in all; the stage's end is the limit otherwise. */
  readonly count?: number;
  /** The first round is spread over this time: users do not arrive in step, and a convoy would stay one. */
  readonly rampMs?: number;
}

/** So many requests under way at all times: the next goes out when one ends. */
export function closedLoop({
  concurrency,
  count = Infinity,
  rampMs = 0,
}: ClosedLoopOptions): Pacer {
  return {
    next(elapsedMs, inFlight, sent) {
      if (sent >= count) return { kind: "done" };
      if (inFlight >= concurrency) return { kind: "full" };
      const earliestMs = sent < concurrency ? (sent * rampMs) / concurrency : 0;
      return { kind: "due", atMs: Math.max(elapsedMs, earliestMs) };
    },
    rateAt: () => null,
  };
}
