import type { Objective } from "../objective.ts";
import type { PointTask } from "../plan.ts";
import { bracketOf, likelyCapacity, type Tried, triedOf } from "../bracket.ts";
import { isOverBudget, rounded, type ShapeState, spentMs, taskOf } from "../shape-state.ts";

/** An end that stays open is tried this many times, each a step further out. */
const OPEN_ENDS_MAX = 2;
/** A rate that is new but closer to a known one than this would teach nothing. */
const CLOSEST = 1.002;
/** This close to where the capacity most likely is, a probe would stay open. */
const NEAR = 1.01;
/**
 * The first look comes after this part of the longest window: close to a capacity a short window that happens to hold no
 * long queue looks like a pass, and would be believed.
 */
const FIRST_LOOK = 8;
/** From a rate that stayed open the next one is at least so far. */
const PAST_OPEN = 1.004;

/** Closes in on the capacity of each objective in turn, by halving in the logarithm of the rate. */
export function refine(state: ShapeState): PointTask | null {
  const { plan, points } = state;
  if (plan.rates.length > 0 || plan.concurrencies.length > 0) return null;
  const done = points.filter(({ stage }) => stage === "refine").length;
  if (done >= plan.preset.refine.probes * plan.objectives.length || isOverBudget(state))
    return null;
  for (const objective of plan.objectives) {
    const rate = nextRate(state, objective);
    if (rate !== null) return probe(state, objective, rate);
  }
  return null;
}

function nextRate(state: ShapeState, objective: Objective): number | null {
  const { probes, ratio } = state.plan.preset.refine;
  if (spentOn(state, objective) >= probes) return null;
  return rateWithin(triedOf(state.points, objective.text), ratio);
}

/**
 * Where to look next; `null` once the interval is as narrow as wanted. Close to the capacity itself no answer comes for
 * hours: the two probes that matter lie a little below and a little above where it most likely is. A rate that stayed open
 * is passed by a step; where no step is left within the width, it is held again, and counts with what it has shown before.
 */
export function rateWithin(tried: readonly Tried[], ratio: number): number | null {
  // A little less than half the width to each side: rates are rounded.
  const step = Math.sqrt(ratio) * 0.999;
  const { pass, fail, open, lowest, highest } = bracketOf(tried);
  if (pass === null && fail === null && open.length === 0) return lowest;
  if (pass === null) return open.length < OPEN_ENDS_MAX && lowest !== fail ? lowest : null;
  if (fail === null) {
    return open.length < OPEN_ENDS_MAX && highest !== null ? highest * step ** open.length : null;
  }
  if (fail / pass <= ratio) return null;
  const likely = likelyCapacity(tried, pass, fail);
  // One end found, the other lies a width from it: where the likely capacity has moved since does not matter.
  const [fromFail, fromPass] = [fail / step ** 2, pass * step ** 2];
  const isFailClose = fail / likely < step * NEAR;
  const isPassClose = likely / pass < step * NEAR;
  const wantedBelow = isFailClose ? Math.min(fromFail, likely / NEAR) : likely / step;
  const wantedAbove = isPassClose ? Math.max(fromPass, likely * NEAR) : likely * step;
  const below = outward(wantedBelow, open, 1 / PAST_OPEN);
  const above = outward(wantedAbove, open, PAST_OPEN);
  // The side that leaves more unknown comes first.
  const sides = [
    { rate: below > pass * CLOSEST ? below : null, gap: likely / pass },
    { rate: above * CLOSEST < fail ? above : null, gap: fail / likely },
  ].sort((a, b) => b.gap - a.gap);
  return sides.find(({ rate }) => rate !== null)?.rate ?? furthest(open, likely);
}

/** Of the rates that stayed open the one furthest from the likely capacity: it is the next to be decided. */
function furthest(open: readonly number[], likely: number): number | null {
  const distance = (rate: number): number => Math.abs(Math.log(rate / likely));
  return open.toSorted((a, b) => distance(b) - distance(a))[0] ?? null;
}

/** Steps away from rates that stayed open. */
function outward(from: number, open: readonly number[], step: number): number {
  let rate = from;
  while (open.some((held) => within(held, rate, PAST_OPEN))) rate *= step;
  return rate;
}

function spentOn({ points }: ShapeState, objective: Objective): number {
  const prefix = `refine(${objective.text})`;
  return points.filter(({ pointId }) => pointId.includes(prefix)).length;
}

function probe(state: ShapeState, objective: Objective, ratePerSecond: number): PointTask {
  const { arrivals, cv, preset } = state.plan;
  const rate = rounded(ratePerSecond);
  const name = `${state.workload.name}/refine(${objective.text})-r${rate}`;
  const repeat = state.points.filter(({ pointId }) => pointId.split("#")[0] === name).length;
  // What is left, but for the closing point.
  const leftMs = preset.budgetMs - spentMs(state.points) - 2 * preset.window.windowMsMin;
  const { windowMsMin, windowMsMax, requests } = preset.window;
  const longestMs = Math.max(windowMsMin, Math.min(windowMsMax * preset.refine.extend, leftMs));
  return taskOf(state, {
    name: repeat === 0 ? name : `${name}#${repeat + 1}`,
    stage: "refine",
    load: { mode: "open", arrivals, ratePerSecond: rate, cv },
    repeat,
    stop: {
      windowMsMin: Math.max(windowMsMin, longestMs / FIRST_LOOK),
      windowMsMax: longestMs,
      requests,
      decide: [objective],
    },
  });
}

function within(a: number, b: number, ratio: number): boolean {
  return Math.max(a, b) / Math.min(a, b) < ratio;
}
