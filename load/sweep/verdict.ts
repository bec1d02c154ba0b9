import type { ObjectiveVerdict } from "../results/point.ts";
import { clopperPearson } from "../statistics/binomial.ts";
import { designEffects, designEffectsOfShare, effectiveSize } from "../statistics/design-effect.ts";
import type { Objective } from "./objective.ts";
import { latencyOf, type Sample } from "./sample.ts";

/**
 * One-sided confidence of a single verdict. A point is looked at several times while it is extended, and a capacity has
 * two ends: at 99.5 % each look, all of them together still keep 95 %.
 */
export const LOOK_CONFIDENCE = 0.995;

/**
 * Fewer independent requests than this and the window is so short against the queue's memory that how much they depend
 * on each other cannot be told from it either.
 */
const EFFECTIVE_MIN = 40;

/** Stands for "never" among ratios that are sorted and subtracted. */
const NEVER = 1e12;
/** Of a pass at a point that was looked at once. A fail stays strict: one long queue in a short window is easily taken for it. */
export const SINGLE_CONFIDENCE = 0.98;

/** Requests an objective is judged by. */
export interface Judged {
  readonly confidence: number;
  /** In order of their planned sends: neighbours wait in the same queue and are worth less than their number. */
  readonly samples: readonly Sample[];
  /** The engine fell behind while they were sent: whatever they waited, those after them wait longer. */
  readonly fellBehind: boolean;
}

/** Whether at least the objective's share of these requests met it. */
export function judge(objective: Objective, judged: Judged): ObjectiveVerdict {
  const { confidence } = judged;
  const ratios = Float64Array.from(
    judged.samples.map((sample) => worstRatio(objective, sample)).filter((ratio) => ratio !== null),
  );
  const n = ratios.length;
  const over = ratios.map((ratio) => (ratio > 1 ? 1 : 0));
  const violations = over.reduce((sum, one) => sum + one, 0);
  // Violations come in clusters, of which a short window may hold one: then the latencies tell what the count hides.
  const [counts, latencies] = [designEffectsOfShare(over), designEffects(ratios)];
  const share = n === 0 ? 0 : violations / n;
  const shareAllowed = 1 - objective.share;
  const lasting = Math.max(counts.lasting, latencies.lasting);
  const effectiveN = effectiveSize(n, lasting, confidence);
  const { upper } = clopperPearson(share * effectiveN, effectiveN, confidence);
  // A queue that started empty and is still filling hides violations, never makes them: against a rate its slow growth
  // need not be held, in favour of one it must.
  const within = Math.max(counts.within, latencies.within);
  const filling = effectiveSize(n, within, LOOK_CONFIDENCE);
  const { lower } = clopperPearson(share * filling, filling, LOOK_CONFIDENCE);
  const isFailing = lower > shareAllowed || (judged.fellBehind && share > shareAllowed);
  const isPassing = upper <= shareAllowed && effectiveN >= Math.min(EFFECTIVE_MIN, n);
  return {
    objective: objective.text,
    verdict: isFailing ? "fail" : isPassing ? "pass" : "undecided",
    n,
    violations,
    effectiveN,
    shareLow: lower,
    shareHigh: upper,
    shareAllowed,
  };
}

/** Not before a quarter of the time there is has shown it: shares of a short window wander. */
const HOPELESS_LONGER_MAX = 4;

/**
 * True when holding the point `longer` times as long would most likely not decide it: a bound's distance from the
 * observed share shrinks with the root of the time, and even then reaches over what is allowed.
 */
export function isHopeless(verdict: ObjectiveVerdict, longer: number): boolean {
  const { n, violations, shareLow, shareHigh, shareAllowed } = verdict;
  if (n === 0 || longer > HOPELESS_LONGER_MAX) return false;
  const share = violations / n;
  const distance = Math.abs(share - shareAllowed);
  const reach = share > shareAllowed ? share - shareLow : shareHigh - share;
  return reach / Math.sqrt(longer) > distance;
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
