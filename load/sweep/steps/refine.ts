import type { Objective } from "../objective.ts";
import type { PointTask } from "../plan.ts";
import { bracketOf, likelyCapacity, type Tried, triedOf } from "../bracket.ts";
import { cohortAt } from "../cohort.ts";
import { isOverBudget, mostOf, type ShapeState, spentMs, stayMsAt } from "../shape-state.ts";
import { rounded, taskOf } from "../task.ts";

/** An end that stays open is tried this many times, each a step further out. */
const OPEN_ENDS_MAX = 2;
/** A rate that is to fail lies at least so much above the highest throughput. */
const BEYOND = 1.02;
/** An engine that begins full shows it so much above. */
const BEYOND_FULL = 1.05;
/** Of the users that fill an engine, how many must have piled up on top before that shows. */
const FILL = 2 / 3;
/** A rate that is new but closer to a known one than this would teach nothing. */
const CLOSEST = 1.002;
/** This close to where the capacity most likely is, a probe would stay open. */
const NEAR = 1.01;
/**
 * The first look comes after this part of the longest window: close to a capacity a short window that happens to hold no
 * long queue looks like a pass, and would be believed.
 */
const FIRST_LOOK = 8;
/** Nor before so many stays: with how many requests share the engine changes only as they come and go. */
const STAYS_MIN = 3;
/** Where it begins with a cohort they are as many from the start. */
const STAYS_MIN_COHORT = 1;
/** A window that may not be so many times the shortest one decides hardly anything, and costs what a curve's level does. */
const WORTH_WHILE = 2;
/** Points at which the generator was the limit show nothing of the engine: after so many the search gives up. */
const INVALID_MAX = 2;
/** Stays that go by before a window, after it, and around that of the closing point; and with a cohort. */
const STAYS_AROUND = 6;
const STAYS_AROUND_COHORT = 4;
/** From a rate that stayed open the next one is at least so far. */
const PAST_OPEN = 1.004;

/** Closes in on the capacity of each objective in turn, by halving in the logarithm of the rate. */
export function refine(state: ShapeState): PointTask | null {
  const { plan, points } = state;
  if (plan.rates.length > 0 || plan.concurrencies.length > 0) return null;
  const probes = points.filter(({ stage }) => stage === "refine");
  const done = probes.length;
  if (probes.filter(({ valid }) => !valid).length >= INVALID_MAX) return null;
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
  return rateWithin(triedOf(state.points, objective.text), {
    ratio,
    top: mostOf(state)?.ratePerSecond ?? null,
    beyond: beyondOf(state),
  });
}

/**
 * How far above the highest throughput a rate is looked for that fails. What an engine cannot carry piles up, and shows once
 * it is about as much as filled it: near the top that takes longer than a window has, unless it begins full.
 */
function beyondOf(state: ShapeState): number {
  const { window, refine } = state.plan.preset;
  const top = mostOf(state);
  if (top === null) return BEYOND;
  const within = (window.windowMsMax * refine.extend) / 1000;
  const beyond = 1 + (FILL * top.concurrency) / (top.ratePerSecond * within);
  const isFull = cohortAt(state, BEYOND_FULL * top.ratePerSecond) !== null;
  return Math.max(BEYOND, isFull ? Math.min(beyond, BEYOND_FULL) : beyond);
}

/** What a search for a capacity goes by. */
export interface Search {
  /** How far apart the ends of the interval may be. */
  readonly ratio: number;
  /** Highest throughput of a closed loop. */
  readonly top: number | null;
  /** Where no rate has failed the next one is so much above the top, and again so much for each that stayed open. */
  readonly beyond: number;
}

/**
 * Where to look next; `null` once the interval is as narrow as wanted. Close to the capacity itself no answer comes for
 * hours: the two probes that matter lie a little below and a little above where it most likely is. A rate that stayed open
 * is passed by a step; where no step is left within the width, it is held again, and counts with what it has shown before.
 */
export function rateWithin(tried: readonly Tried[], { ratio, top, beyond }: Search): number | null {
  // A little less than half the width to each side: rates are rounded.
  const step = Math.sqrt(ratio) * 0.999;
  const { pass, fail, open, lowest, highest } = bracketOf(tried);
  const triesLeft = open.length < OPEN_ENDS_MAX;
  if (lowest === null || highest === null || lowest === fail) return null;
  if (fail === null) {
    const further = Math.max(beyond, step);
    return triesLeft ? Math.max(top ?? highest, pass ?? 0) * further ** (open.length + 1) : null;
  }
  if (pass === null) {
    const likely = likelyCapacity(tried, lowest, fail);
    return triesLeft ? Math.max(lowest, likely / step ** (2 * open.length + 1)) : null;
  }
  if (fail / pass <= ratio) return null;
  // A fail far out says little of where between the two it is; the top, that it is no higher.
  const likely = Math.min(likelyCapacity(tried, pass, fail), Math.max(top ?? fail, pass));
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

/** `null` when too little time is left for a window that could decide. */
function probe(state: ShapeState, objective: Objective, ratePerSecond: number): PointTask | null {
  const { arrivals, cv, preset } = state.plan;
  const rate = rounded(ratePerSecond);
  const name = `${state.workload.name}/refine(${objective.text})-r${rate}`;
  const repeat = state.points.filter(({ pointId }) => pointId.split("#")[0] === name).length;
  // What is left, but for the closing point.
  const stayMs = stayMsAt(state, rate);
  const hasCohort = cohortAt(state, rate) !== null;
  const around = hasCohort ? STAYS_AROUND_COHORT : STAYS_AROUND;
  const aroundMs = 2 * preset.window.windowMsMin + around * stayMs;
  const leftMs = preset.budgetMs - spentMs(state.points) - aroundMs;
  const { windowMsMin, windowMsMax, requests } = preset.window;
  const longestMs = Math.min(windowMsMax * preset.refine.extend, leftMs);
  if (longestMs < WORTH_WHILE * windowMsMin) return null;
  const stays = hasCohort ? STAYS_MIN_COHORT : STAYS_MIN;
  const firstMs = Math.max(windowMsMin, longestMs / FIRST_LOOK, stays * stayMs);
  return taskOf(state, {
    name: repeat === 0 ? name : `${name}#${repeat + 1}`,
    stage: "refine",
    load: { mode: "open", arrivals, ratePerSecond: rate, cv },
    repeat,
    stop: {
      windowMsMin: Math.min(firstMs, longestMs),
      windowMsMax: longestMs,
      requests,
      decide: [objective],
    },
  });
}

function within(a: number, b: number, ratio: number): boolean {
  return Math.max(a, b) / Math.min(a, b) < ratio;
}
