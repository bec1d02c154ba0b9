import type { ObjectiveVerdict } from "../results/point.ts";
import { clopperPearson } from "../statistics/binomial.ts";
import {
  type DependentMean,
  dependentMean,
  effectiveSize,
  meanOfRanks,
} from "../statistics/design-effect.ts";
import { staysBelowOne } from "../statistics/margin.ts";
import type { Objective } from "./objective.ts";
import { latencyOf, type Sample } from "./sample.ts";

/**
 * One-sided confidence of a single verdict. A point is looked at several times while it is extended, and a capacity has
 * two ends: at 99.7 % each look, all of them together still keep 95 %.
 */
export const LOOK_CONFIDENCE = 0.997;
/** Of a pass at a point that was looked at once. A fail stays strict: one long queue in a short window is easily taken for it. */
export const SINGLE_CONFIDENCE = 0.98;

/**
 * Fewer independent requests than this and the window is so short against the queue's memory that how much they depend
 * on each other cannot be told from it either. A queue that started empty and still fills hides violations, never makes
 * them: against a rate fewer will do.
 */
const EFFECTIVE_MIN_PASS = 20;
const EFFECTIVE_MIN_FAIL = 10;
/** Or half of that, where the bound would hold if they were worth only half as much: violations are rare, however one counts. */
const DOUBT = 0.5;
/** Batches that resemble each other more than this say that the window is short against the queue's memory. */
const CORRELATION_MAX = 0.5;
/** So many independent violations, and as many that are none, tell by themselves how much they depend on each other. */
const ENOUGH = 20;

/** Stands for "never" among ratios that are sorted and subtracted. */
const NEVER = 1e12;

/** Requests an objective is judged by. */
export interface Judged {
  readonly confidence: number;
  /** In order of their planned sends: neighbours wait in the same queue and are worth less than their number. */
  readonly samples: readonly Sample[];
  /** The engine fell behind while they were sent: whatever they waited, those after them wait longer. */
  readonly fellBehind: boolean;
  /** More and more of them were under way, or they were too few to tell: those after them may wait longer. */
  readonly stillFills: boolean;
  /** It began with more under way than it keeps, and fewer and fewer were: those after them may wait less. */
  readonly stillEmpties: boolean;
  /** Between them on average as planned; `null` where that is not known, because answers decide when the next ones come. */
  readonly meanGapMs: number | null;
}

/** Whether at least the objective's share of these requests met it. */
export function judge(objective: Objective, judged: Judged): ObjectiveVerdict {
  const { confidence, fellBehind, samples } = judged;
  const all = samples.map((sample) => worstRatio(objective, sample));
  const ratios = Float64Array.from(all.filter((ratio) => ratio !== null));
  const n = ratios.length;
  const over = ratios.map((ratio) => (ratio > 1 ? 1 : 0));
  const violations = over.reduce((sum, one) => sum + one, 0);
  const { mean, effect, effectWithin, freedom, correlation } = shareOf(over, ratios, {
    atMs: Float64Array.from(samples, ({ plannedMs }) => plannedMs),
    // Where some have no such latency the gaps between those that do are not the planned ones.
    meanGapMs: n === all.length ? judged.meanGapMs : null,
  });
  const share = Math.min(1, Math.max(0, mean));
  const shareAllowed = 1 - objective.share;
  const bounds = (level: number, by: number): { n: number; lower: number; upper: number } => {
    const worth = effectiveSize(n, { effect: by, freedom }, level);
    return { n: worth, ...clopperPearson(share * worth, worth, level) };
  };
  const [against, inFavour] = [bounds(LOOK_CONFIDENCE, effectWithin), bounds(confidence, effect)];
  const isLong = correlation <= CORRELATION_MAX;
  const isFailing =
    !judged.stillEmpties &&
    ((fellBehind && share > shareAllowed) ||
      (against.lower > shareAllowed && against.n >= Math.min(EFFECTIVE_MIN_FAIL, n)));
  const isCounted =
    isLong &&
    inFavour.upper <= shareAllowed &&
    isEnough({ n, worth: inFavour.n, share, shareAllowed }, confidence);
  const isFar = violations === 0 && staysBelowOne(ratios, confidence);
  const isPassing = (isCounted || isFar) && !judged.stillFills;
  return {
    objective: objective.text,
    verdict: isFailing ? "fail" : isPassing ? "pass" : "undecided",
    n,
    violations,
    share,
    effectiveN: inFavour.n,
    shareLow: against.lower,
    shareHigh: inFavour.upper,
    shareAllowed,
  };
}

/** Whether so many independent requests are enough to believe a pass. */
function isEnough(
  about: {
    readonly n: number;
    readonly worth: number;
    readonly share: number;
    readonly shareAllowed: number;
  },
  confidence: number,
): boolean {
  const { n, worth, share, shareAllowed } = about;
  if (worth >= Math.min(EFFECTIVE_MIN_PASS, n)) return true;
  const doubted = worth * DOUBT;
  if (worth < EFFECTIVE_MIN_PASS * DOUBT) return false;
  return clopperPearson(share * doubted, doubted, confidence).upper <= shareAllowed;
}

/**
 * The share of ones and what it is worth. A window with enough clusters of violations speaks for itself, and may be
 * relieved of what chance did to its arrivals. With few of them both would be guesses: then the latencies' own dependence
 * counts where it is larger, and the share is the plain one.
 */
function shareOf(
  over: Float64Array,
  ratios: Float64Array,
  { atMs, meanGapMs }: { readonly atMs: Float64Array; readonly meanGapMs: number | null },
): DependentMean {
  const plain = dependentMean(over, null);
  const rarer = Math.min(plain.mean, 1 - plain.mean);
  if ((rarer * over.length) / plain.effect >= ENOUGH) {
    return meanGapMs === null ? plain : dependentMean(over, { atMs, meanGapMs });
  }
  const ranks = meanOfRanks(ratios);
  const { mean } = plain;
  const correlation = Math.max(plain.correlation, ranks.correlation);
  return ranks.effect > plain.effect ? { ...ranks, mean, correlation } : { ...plain, correlation };
}

/** Not before a quarter of the time there is has shown it: shares of a short window wander. */
const HOPELESS_LONGER_MAX = 4;

/**
 * True when holding the point `longer` times as long would most likely not decide it: a bound's distance from the
 * observed share shrinks with the root of the time, and even then reaches over what is allowed.
 */
export function isHopeless(verdict: ObjectiveVerdict, longer: number): boolean {
  const { share, shareLow, shareHigh, shareAllowed, effectiveN } = verdict;
  // So few independent requests say nothing of how many there will be.
  if (effectiveN < EFFECTIVE_MIN_FAIL || longer > HOPELESS_LONGER_MAX) return false;
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
