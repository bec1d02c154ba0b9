import type { Pacer } from "./pacer.ts";

/** Sends at given moments, whatever the engine does: the open loop every arrival process comes down to. `atMs` ascending. */
export function planned(atMs: ArrayLike<number>): Pacer {
  return {
    next(_elapsedMs, _inFlight, sent) {
      const due = atMs[sent];
      return due === undefined ? { kind: "done" } : { kind: "due", atMs: due };
    },
    rateAt(elapsedMs) {
      const window = 1_000;
      let count = 0;
      for (let index = 0; index < atMs.length; index++) {
        const due = atMs[index] ?? 0;
        if (due >= elapsedMs && due < elapsedMs + window) count++;
      }
      return count / (window / 1000);
    },
  };
}
