import { meanShape, type Workload } from "../prompts/workload.ts";
import type { Point } from "../results/point.ts";
import type { PointTask, SweepPlan } from "./plan.ts";
import { aloneOf, spentMs, type ShapeState } from "./shape-state.ts";

/** Before anything was measured: a token of a model that fits one card, and the wait for the first. */
const TOKEN_MS_GUESS = 12;
const TTFT_MS_GUESS = 200;
/** Levels a ladder usually climbs before throughput stops growing. */
const RUNGS_GUESS: Readonly<Record<number, number>> = { 2: 8, 4: 4 };
/** Windows of the envelope end early as often as they extend. */
const WINDOW_GUESS = 1.3;
const SETTLE_MS_GUESS = 5_000;

/** How long the sweep of every workload will take: from the preset alone, before anything runs. */
export function estimateMs(plan: SweepPlan): number {
  return plan.workloads.reduce((sum, workload) => sum + shapeMs({ plan, workload, points: [] }), 0);
}

/** What is still to come, refined by what the finished points showed. */
export function remainingMs(
  plan: SweepPlan,
  current: { readonly workload: Workload; readonly points: readonly Point[] },
  later: readonly Workload[],
): number {
  const state: ShapeState = { plan, ...current };
  const here = Math.max(0, shapeMs(state) - spentMs(current.points));
  return later.reduce((sum, workload) => sum + shapeMs({ ...state, workload, points: [] }), here);
}

/** One workload from start to end. */
function shapeMs(state: ShapeState): number {
  const { preset, rates, concurrencies } = state.plan;
  const stayMs = aloneOf(state)?.e2eMs ?? guessMs(state.workload);
  const around = SETTLE_MS_GUESS + 2 * stayMs;
  const windowMs = Math.min(
    Math.max(preset.window.windowMsMin * WINDOW_GUESS, stayMs),
    preset.window.windowMsMax,
  );
  const rungs =
    concurrencies.length > 0
      ? concurrencies.length
      : rates.length > 0
        ? 0
        : (RUNGS_GUESS[preset.ladder.factor] ?? Object.keys(RUNGS_GUESS).length);
  const floods = preset.ladder.flood > 0 ? 1 : 0;
  const opens = rates.length > 0 ? rates.length : preset.envelope.length + 1;
  const isOpenLoop = rates.length > 0 || preset.envelope.length > 0;
  const minimumMs = Math.max(
    preset.minimum.windowMsMin,
    Math.min(preset.minimum.requests * stayMs, preset.minimum.windowMsMax),
  );
  const warmMs = preset.warmUp.concurrencies.length * Math.min(preset.warmUp.msMax, 5 * stayMs);
  const ladderMs = (rungs + floods) * (preset.ladder.windowMsMin + around);
  const envelopeMs = isOpenLoop ? preset.repeats * opens * (windowMs + around) : 0;
  const probes = preset.refine.probes * state.plan.objectives.length;
  const refineMs = (probes / 2) * (preset.window.windowMsMax + around);
  return Math.min(warmMs + minimumMs + ladderMs + envelopeMs + refineMs, preset.budgetMs);
}

function guessMs(workload: Workload): number {
  return TTFT_MS_GUESS + meanShape(workload).outputTokens * TOKEN_MS_GUESS;
}

/** One point, for the progress line. */
export function pointMs({ stop }: PointTask): number {
  return stop.settleMsMin + (stop.decide.length > 0 ? stop.windowMsMax : stop.windowMsMin);
}
