import type { StageName } from "../../results/point.ts";
import type { PointTask } from "../plan.ts";
import { SETTLE_STAYS } from "../point-phases.ts";
import {
  aloneOf,
  hasPoint,
  isOverBudget,
  mostOf,
  type ShapeState,
  spentMs,
  stayMsAt,
} from "../shape-state.ts";
import { rounded, taskOf } from "../task.ts";
import { REPEATED_FRACTION } from "./repeat.ts";

/** A rate this far below what one user alone makes shows nothing that the lone request has not shown. */
const LOWEST_OF_ALONE = 1 / 20;
/** At and above the highest throughput a short look is enough: latencies grow with the length of the run. */
const OVERLOAD_LENGTH = 0.5;
const SLACK = 1.2;
const STAYS = 3;
/** Above this share of the highest throughput a rate passes only when it is held to decide. */
const NEAR_LIMIT = 0.91;
/** Levels that are held whatever they take. */
const LEVELS_MIN = 2;
/** Part of the budget that is left to the search for capacities. */
const SEARCH_SHARE = 0.4;
const SEARCHING: readonly StageName[] = ["envelope", "refine", "repeat"];
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

/** A rate of the envelope, with its share of the highest throughput. */
interface Level {
  readonly ratePerSecond: number;
  readonly fraction: number;
}

/** Rates of the envelope, lowest first: as many as leave the search for capacities its part of the time. */
export function ratesOf(state: ShapeState): readonly Level[] {
  const { rates, preset } = state.plan;
  if (rates.length > 0) return rates.map((ratePerSecond) => ({ ratePerSecond, fraction: 0 }));
  const most = mostOf(state)?.ratePerSecond ?? 0;
  const lowest = (aloneOf(state)?.ratePerSecond ?? 0) * LOWEST_OF_ALONE;
  const levels = preset.envelope
    .map((fraction) => ({ fraction, ratePerSecond: rounded(fraction * most) }))
    .filter(({ ratePerSecond }) => ratePerSecond > 0 && ratePerSecond >= lowest);
  return fitting(
    state,
    searches(state) ? levels.filter(({ fraction }) => fraction <= NEAR_LIMIT) : levels,
  );
}

/** Whether a search follows. What happens close to the highest throughput and beyond is then its to find, at length. */
function searches({ plan }: ShapeState): boolean {
  return plan.preset.refine.probes > 0 && plan.objectives.length > 0;
}

/**
 * Past the highest throughput, where no search has been: an engine that meets its objectives or breaks them far below it
 * is still shown breaking.
 */
export function overload(state: ShapeState): PointTask | null {
  const { rates, concurrencies, preset } = state.plan;
  const fraction = preset.envelope.at(-1) ?? 0;
  const ratePerSecond = rounded(fraction * (mostOf(state)?.ratePerSecond ?? 0));
  const wasThere = state.points.some(
    ({ offeredRatePerSecond }) => (offeredRatePerSecond ?? 0) * fraction >= ratePerSecond,
  );
  const isWanted = searches(state) && rates.length === 0 && concurrencies.length === 0;
  if (!isWanted || fraction < 1 || wasThere || isOverBudget(state)) return null;
  return at(state, { ratePerSecond, fraction, repeat: 0 });
}

/**
 * Long answers take so long to settle that not all levels fit. Kept are first those the search for a capacity starts from,
 * the highest that may pass and the highest of all, and a middling one, which is repeated; then from above.
 */
function fitting(state: ShapeState, levels: readonly Level[]): readonly Level[] {
  const { preset } = state.plan;
  const before = state.points.filter(({ stage }) => !SEARCHING.includes(stage));
  let leftMs = preset.budgetMs * (searches(state) ? 1 - SEARCH_SHARE : 1) - spentMs(before);
  const first = [
    levels.findLast(({ fraction }) => fraction <= NEAR_LIMIT),
    levels.at(-1),
    levels.findLast(({ fraction }) => fraction <= REPEATED_FRACTION),
  ];
  const kept = new Set<Level>();
  for (const level of [...first, ...levels.toReversed()]) {
    if (level === undefined || kept.has(level)) continue;
    const { settleMsMin, windowMsMax } = at(state, { ...level, repeat: 0 }).stop;
    const stayMs = stayMsAt(state, level.ratePerSecond);
    leftMs -=
      (Math.max(settleMsMin, SETTLE_STAYS * stayMs) + windowMsMax + stayMs) * preset.repeats;
    if (leftMs < 0 && kept.size >= LEVELS_MIN) break;
    kept.add(level);
  }
  return levels.filter((level) => kept.has(level));
}

function at(state: ShapeState, about: Level & { readonly repeat: number }): PointTask {
  const { arrivals, cv, preset } = state.plan;
  const { ratePerSecond, fraction, repeat } = about;
  const { windowMsMin, windowMsMax, requests } = preset.window;
  const isOverload = fraction >= 1;
  // As long as the requests wanted take, and a few stays; but no longer than a third of the most: deciding is what
  // refinement is for.
  const wantedMs = Math.max(
    (requests / ratePerSecond) * 1000 * SLACK,
    windowMsMax * SHARE,
    STAYS * stayMsAt(state, ratePerSecond),
  );
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
      ...(isLast(state, ratePerSecond) ? { decide: state.plan.objectives, windowMsMax } : {}),
      ...(fraction > NEAR_LIMIT ? { passStays: Infinity } : {}),
    },
  });
}

/** The search starts from it: it is worth being held until it is decided. */
function isLast(state: ShapeState, ratePerSecond: number): boolean {
  const { rates, preset } = state.plan;
  const highest = preset.envelope.findLast((fraction) => fraction <= NEAR_LIMIT) ?? 0;
  const last = rounded(highest * (mostOf(state)?.ratePerSecond ?? 0));
  return searches(state) && rates.length === 0 && ratePerSecond === last;
}

function saturatedInARow({ points }: ShapeState, repeat: number): boolean {
  const ours = points.filter((point) => point.stage === "envelope" && point.repeat === repeat);
  return ours.length >= 2 && ours.slice(-2).every(({ saturated }) => saturated);
}
