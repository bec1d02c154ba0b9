import type { PointTask } from "../plan.ts";
import { type ShapeState } from "../shape-state.ts";
import { taskOf } from "../task.ts";

/** One request at a time: the lowest latency there is, and the yardstick for every wait after it. */
export function minimum(state: ShapeState): PointTask | null {
  if (state.points.some(({ stage }) => stage === "minimum")) return null;
  const { minimum } = state.plan.preset;
  return taskOf(state, {
    stage: "minimum",
    load: { mode: "closed", concurrency: 1 },
    // The engine is idle before it: nothing has to settle but the first request.
    stop: { ...minimum, settleMsMin: 0 },
  });
}
