import type { Point } from "../../results/point.ts";
import type { PointTask } from "../plan.ts";
import type { Preset } from "../presets.ts";
import {
  gains,
  hasPoint,
  isOverBudget,
  levelsOf,
  mostOf,
  type ShapeState,
} from "../shape-state.ts";
import { taskOf } from "../task.ts";

/** A wait this many times that of the level below, without gain, needs no second look. */
const TTFT_FACTOR_MAX = 4;
const FAILED_SHARE_MAX = 0.02;
/** Unless there is one, a further level beyond the best makes sure of the plateau. */
const PLATEAU_FACTOR = 1.5;

/** Concurrency by factors until throughput stops growing: every level a closed-loop result, the best one the top of all rates. */
export function ladder(state: ShapeState): PointTask | null {
  const { concurrencies, rates, preset } = state.plan;
  if (concurrencies.length > 0) return nextOf(state, concurrencies);
  if (rates.length > 0) return null;
  const { factor, concurrencyMax, impatient } = preset.ladder;
  const levels = levelsOf(state).filter(({ stage }) => stage !== "flood");
  const regular = levels.filter(isRung(preset.ladder));
  const top = regular.at(-1);
  if (top === undefined || isOverBudget(state)) return null;
  const highest = top.concurrency ?? 1;
  if (!isFull(regular, impatient) && highest < concurrencyMax) {
    return level(state, Math.min(highest * factor, concurrencyMax));
  }
  const plateau = Math.ceil((mostOf(state)?.concurrency ?? 1) * PLATEAU_FACTOR);
  const isWanted =
    !impatient &&
    regular.length === levels.length &&
    plateau <= concurrencyMax &&
    highest < plateau;
  if (isWanted && !levels.some(({ concurrency }) => concurrency === plateau)) {
    return level(state, plateau);
  }
  return flood(state);
}

/** Tells the ladder's own levels from the one that makes sure of the plateau. */
function isRung({ factor, concurrencyMax }: Preset["ladder"]): (point: Point) => boolean {
  return ({ concurrency }) =>
    concurrency === concurrencyMax || Number.isInteger(rungOf(concurrency ?? 1, factor));
}

function rungOf(concurrency: number, factor: number): number {
  const rung = Math.log(concurrency) / Math.log(factor);
  return Math.abs(rung - Math.round(rung)) < 1e-9 ? Math.round(rung) : rung;
}

function flood(state: ShapeState): PointTask | null {
  const { flood } = state.plan.preset.ladder;
  const last = state.points.at(-1);
  if (flood === 0 || last === undefined || last.completed === 0) return null;
  if (state.points.some(({ stage }) => stage === "flood")) return null;
  return level(state, flood, "flood");
}

function nextOf(state: ShapeState, concurrencies: readonly number[]): PointTask | null {
  for (const concurrency of concurrencies) {
    const task = level(state, concurrency);
    if (!hasPoint(state, task.pointId)) return task;
  }
  return null;
}

function level(
  state: ShapeState,
  concurrency: number,
  stage: "ladder" | "flood" = "ladder",
): PointTask {
  const { ladder, window } = state.plan.preset;
  const { windowMsMin, windowMsMax } = ladder;
  return taskOf(state, {
    stage,
    load: { mode: "closed", concurrency },
    stop: { windowMsMin, windowMsMax, requests: window.requests },
  });
}

/** Whether the last level showed that more users bring no more. */
function isFull(levels: readonly Point[], impatient: boolean): boolean {
  const [beforeLast, last] = [levels.at(-2), levels.at(-1)];
  if (last === undefined) return false;
  if (last.completed === 0 || last.failed > FAILED_SHARE_MAX * last.n) return true;
  if (last.flags.includes("client-bound")) return true;
  if (beforeLast === undefined || gains(beforeLast, last)) return false;
  const [before, after] = [beforeLast.ttftMs.p50, last.ttftMs.p50];
  if (impatient || (before !== null && after !== null && after > TTFT_FACTOR_MAX * before))
    return true;
  const third = levels.at(-3);
  return third !== undefined && !gains(third, beforeLast);
}
