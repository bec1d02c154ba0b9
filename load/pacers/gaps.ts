import type { Random } from "../../engines/random.ts";
import type { Pacer } from "./pacer.ts";

/** What an open-loop arrival process is made from. */
export interface ArrivalOptions {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly random: Random;
  /** Coefficient of variation of the gaps, where the process has a free one (gamma): 1 is Poisson, above it bursts. */
  readonly cv?: number;
  /** Rate at the end, where it changes (ramp). */
  readonly toRatePerSecond?: number;
}

/** Arrivals planned ahead at most: an hour at a thousand a second. */
const ARRIVALS_MAX = 3_600_000;

/**
 * Turns a process's gaps into a plan. Moment number n depends on the seed alone, never on what the engine does; it is
 * worked out when it is first looked at, so that a long plan which ends early costs nothing.
 */
export function byGaps(
  options: Pick<ArrivalOptions, "durationMs">,
  nextMs: (previousMs: number) => number,
  rateAt: (elapsedMs: number) => number,
): Pacer {
  const atMs: number[] = [];
  let lastMs = 0;
  return {
    next(_elapsedMs, _inFlight, sent) {
      while (atMs.length <= sent) {
        if (lastMs >= options.durationMs || atMs.length >= ARRIVALS_MAX) return { kind: "done" };
        lastMs = nextMs(lastMs);
        atMs.push(lastMs);
      }
      const due = atMs[sent] ?? Infinity;
      return due < options.durationMs ? { kind: "due", atMs: due } : { kind: "done" };
    },
    rateAt,
  };
}
