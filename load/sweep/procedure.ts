import type { PointTask } from "./plan.ts";
import type { ShapeState } from "./shape-state.ts";
import { envelope, overload } from "./steps/envelope.ts";
import { ladder } from "./steps/ladder.ts";
import { minimum } from "./steps/minimum.ts";
import { refine } from "./steps/refine.ts";
import { repeat } from "./steps/repeat.ts";
import { warmUp } from "./steps/warm-up.ts";

/** What is still to do in one step of the method; `null` when it is complete. */
type Step = (state: ShapeState) => PointTask | null;

/** The method, in order. Each step looks only at the plan and the points there are. */
const STEPS: readonly Step[] = [warmUp, minimum, ladder, envelope, refine, overload, repeat];

/**
 * The next point of a workload, or `null` when it is done. A pure function of plan and finished points: it knows no clock
 * and no engine, so a sweep that was killed goes on exactly where it was, and the method can be tested without running.
 */
export function nextTask(state: ShapeState): PointTask | null {
  const engineFails = state.points.some(
    ({ stage, completed }) => stage === "minimum" && completed === 0,
  );
  if (engineFails) return null;
  for (const step of STEPS) {
    const task = step(state);
    if (task !== null) return task;
  }
  return null;
}
