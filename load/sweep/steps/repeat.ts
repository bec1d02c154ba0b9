import type { Point } from "../../results/point.ts";
import type { PointTask } from "../plan.ts";
import { isOverBudget, type ShapeState } from "../shape-state.ts";
import { taskOf } from "../task.ts";

/** Of the envelope's rates the one nearest this share of the highest is held again at the end. */
export const REPEATED_FRACTION = 0.5;
/** Beyond this difference the engine at the end is not the engine of the beginning. */
export const DRIFT_MAX = 0.1;

/** Holds a middling rate a second time, last of all: heat, neighbours and autoscalers show in the difference. */
export function repeat(state: ShapeState): PointTask | null {
  const { plan, points } = state;
  const first = repeatedOf(points);
  if (first === null || points.some(({ stage }) => stage === "repeat")) return null;
  if (plan.preset.envelope.length < 2 || plan.rates.length > 0) return null;
  if (isOverBudget(state)) return null;
  const { windowMsMin, windowMsMax, requests } = plan.preset.window;
  const { arrivals, cv } = plan;
  return taskOf(state, {
    stage: "repeat",
    load: { mode: "open", arrivals, ratePerSecond: first.offeredRatePerSecond ?? 0, cv },
    stop: { windowMsMin, windowMsMax, requests },
  });
}

/** The point that is repeated: valid, unsaturated, nearest the middle. */
export function repeatedOf(points: readonly Point[]): Point | null {
  const envelope = points.filter(
    ({ stage, valid, saturated, repeat }) =>
      stage === "envelope" && valid && !saturated && repeat === 0,
  );
  const top = Math.max(...envelope.map((point) => point.offeredRatePerSecond ?? 0));
  const distance = (point: Point): number =>
    Math.abs((point.offeredRatePerSecond ?? 0) - REPEATED_FRACTION * top);
  return envelope.toSorted((a, b) => distance(a) - distance(b))[0] ?? null;
}
