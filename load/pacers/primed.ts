import type { Pacer } from "./pacer.ts";

/** Requests at given moments, ascending, and from `rampMs` on those of another pacer. */
export function primed(atMs: readonly number[], rampMs: number, then: Pacer): Pacer {
  return {
    next(elapsedMs, inFlight, sent) {
      const first = atMs[sent];
      if (first !== undefined) return { kind: "due", atMs: first };
      const pace = then.next(elapsedMs - rampMs, inFlight, sent - atMs.length);
      return pace.kind === "due" ? { kind: "due", atMs: pace.atMs + rampMs } : pace;
    },
    rateAt: (elapsedMs) => (elapsedMs < rampMs ? null : then.rateAt(elapsedMs - rampMs)),
  };
}
