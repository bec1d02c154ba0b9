import type { Pacer } from "./pacer.ts";

/** So many requests under way at all times: the next goes out when one ends. Stops after `count`, or when the stage does. */
export function closedLoop({
  concurrency,
  count = Infinity,
}: {
  readonly concurrency: number;
  readonly count?: number;
}): Pacer {
  return {
    next(elapsedMs, inFlight, sent) {
      if (sent >= count) return { kind: "done" };
      return inFlight < concurrency ? { kind: "due", atMs: elapsedMs } : { kind: "full" };
    },
    rateAt: () => null,
  };
}
