import type { PointTask } from "../plan.ts";
import { type ShapeState } from "../shape-state.ts";
import { taskOf } from "../task.ts";

/** A few users, then some more, until latencies stop moving: caches, graphs and clocks of a cold engine. Never a result. */
export function warmUp(state: ShapeState): PointTask | null {
  const { concurrencies, requests, msMax } = state.plan.preset.warmUp;
  const done = state.points.filter(({ stage }) => stage === "warm-up").length;
  const concurrency = concurrencies[done];
  if (concurrency === undefined) return null;
  return taskOf(state, {
    stage: "warm-up",
    load: { mode: "closed", concurrency },
    stop: {
      settleMsMin: 0,
      windowMsMin: msMax,
      windowMsMax: msMax,
      requests,
      untilStable: true,
    },
  });
}
