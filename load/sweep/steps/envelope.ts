import type { PointTask } from "../plan.ts";
import {
  aloneOf,
  hasPoint,
  isOverBudget,
  mostOf,
  rounded,
  type ShapeState,
  taskOf,
} from "../shape-state.ts";

/** A rate this far below what one user alone makes shows nothing that the lone request has not shown. */
const LOWEST_OF_ALONE = 1 / 20;
/** At and above the highest throughput a short look is enough: latencies grow with the length of the run. */
const OVERLOAD_LENGTH = 0.5;
const SLACK = 1.2;
const SHARE = 1 / 3;

/** Open-loop rates upwards, crowding where the curve bends, and two steps past where it breaks. */
export function envelope(state: ShapeState): PointTask | null {
  if (isOverBudget(state)) return null;
  for (let repeat = 0; repeat < state.plan.preset.repeats; repeat++) {
    for (const { ratePerSecond, fraction } of ratesOf(state)) {
      if (saturatedInARow(state, repeat)) break;
      const task = at(state, { ratePerSecond, fraction, repeat });
      if (!hasPoint(state, task.pointId)) return task;
    }
  }
  return null;
}

/** Rates of the envelope, lowest first, with their share of the highest throughput. */
export function ratesOf(
  state: ShapeState,
): readonly { readonly ratePerSecond: number; readonly fraction: number }[] {
  const { rates, preset } = state.plan;
  if (rates.length > 0) return rates.map((ratePerSecond) => ({ ratePerSecond, fraction: 0 }));
  const most = mostOf(state)?.ratePerSecond ?? 0;
  const lowest = (aloneOf(state)?.ratePerSecond ?? 0) * LOWEST_OF_ALONE;
  return preset.envelope
    .map((fraction) => ({ fraction, ratePerSecond: rounded(fraction * most) }))
    .filter(({ ratePerSecond }) => ratePerSecond > 0 && ratePerSecond >= lowest);
}

function at(
  state: ShapeState,
  about: { readonly ratePerSecond: number; readonly fraction: number; readonly repeat: number },
): PointTask {
  const { arrivals, cv, preset } = state.plan;
  const { ratePerSecond, fraction, repeat } = about;
  const { windowMsMin, windowMsMax, requests } = preset.window;
  const isOverload = fraction >= 1;
  // As long as the requests wanted take, and no longer than a third of the most: deciding is what refinement is for.
  const wantedMs = Math.max((requests / ratePerSecond) * 1000 * SLACK, windowMsMax * SHARE);
  return taskOf(state, {
    stage: "envelope",
    load: { mode: "open", arrivals, ratePerSecond, cv },
    repeat,
    stop: {
      windowMsMin,
      windowMsMax: Math.max(
        windowMsMin,
        Math.min(windowMsMax, isOverload ? wantedMs * OVERLOAD_LENGTH : wantedMs),
      ),
      requests,
    },
  });
}

function saturatedInARow({ points }: ShapeState, repeat: number): boolean {
  const ours = points.filter((point) => point.stage === "envelope" && point.repeat === repeat);
  return ours.length >= 2 && ours.slice(-2).every(({ saturated }) => saturated);
}
