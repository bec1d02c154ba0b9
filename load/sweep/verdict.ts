import type { ObjectiveVerdict } from "../results/point.ts";
import { clopperPearson } from "../statistics/binomial.ts";
import { designEffect, designEffectOfShare, effectiveSize } from "../statistics/design-effect.ts";
import type { Objective } from "./objective.ts";
import { latencyOf, type Sample } from "./sample.ts";

/**
 * One-sided confidence of a single verdict. A point is looked at up to five times while it is extended, and a capacity
 * has two ends: at 99 % each look, all of them together still keep about 95 %.
 */
export const LOOK_CONFIDENCE = 0.99;

/** Stands for "never" among ratios that are sorted and subtracted. */
const NEVER = 1e12;
/** Requests an objective is judged by. */
export interface Judged {
  /** In order of their planned sends: neighbours wait in the same queue and are worth less than their number. */
  readonly samples: readonly Sample[];
  /** The engine fell behind while they were sent: whatever they waited, those after them wait longer. */
  readonly fellBehind: boolean;
}

/** Whether at least the objective's share of these requests met it. */
export function judge(objective: Objective, judged: Judged): ObjectiveVerdict {
  const ratios = Float64Array.from(
    judged.samples.map((sample) => worstRatio(objective, sample)).filter((ratio) => ratio !== null),
  );
  const n = ratios.length;
  const over = ratios.map((ratio) => (ratio > 1 ? 1 : 0));
  const violations = over.reduce((sum, one) => sum + one, 0);
  // Violations come in clusters, of which a short window may hold one: then the latencies tell what the count hides.
  const effect = Math.max(designEffectOfShare(over), designEffect(ratios));
  const effectiveN = effectiveSize(n, effect, LOOK_CONFIDENCE);
  const share = n === 0 ? 0 : violations / n;
  const shareAllowed = 1 - objective.share;
  const { lower, upper } = clopperPearson(share * effectiveN, effectiveN, LOOK_CONFIDENCE);
  const isFailing = lower > shareAllowed || (judged.fellBehind && share > shareAllowed);
  return {
    objective: objective.text,
    verdict: isFailing ? "fail" : upper <= shareAllowed ? "pass" : "undecided",
    n,
    violations,
    effectiveN,
    shareLow: lower,
    shareHigh: upper,
    shareAllowed,
  };
}

/** Bounds of few, correlated requests wander: not before they are narrow is it said that more would not help. */
const HOPELESS_OF_MIN = 30;
/** The observed share may be off by about as much as the bound reaches: so much longer must the way be. */
const HOPELESS_BY = 2;

/**
 * True when holding the point `longer` times as long would most likely not decide it: a bound's distance from the
 * observed share shrinks with the root of the time, and even then reaches over what is allowed.
 */
export function isHopeless(verdict: ObjectiveVerdict, longer: number): boolean {
  const { n, violations, effectiveN, shareLow, shareHigh, shareAllowed } = verdict;
  if (n === 0 || effectiveN < HOPELESS_OF_MIN) return false;
  const share = violations / n;
  const distance = Math.abs(share - shareAllowed);
  const reach = share > shareAllowed ? share - shareLow : shareHigh - share;
  return reach / Math.sqrt(longer) > HOPELESS_BY * distance;
}

/** Largest latency of a request over its limit: above 1 it violates. `null` when none of the latencies is defined for it. */
function worstRatio(objective: Objective, sample: Sample): number | null {
  let worst: number | null = null;
  for (const { metric, limitMs } of objective.limits) {
    const latency = latencyOf(sample, metric);
    if (latency === null) continue;
    worst = Math.max(worst ?? 0, Math.min(NEVER, latency / limitMs));
  }
  return worst;
}
