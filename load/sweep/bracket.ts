import type { Point, Verdict } from "../results/point.ts";
import { clopperPearson } from "../statistics/binomial.ts";
import { LOOK_CONFIDENCE } from "./verdict.ts";

/** What the points of one objective say about its capacity. */
export interface Bracket {
  /** Highest rate shown to pass; `null` when none was. */
  readonly pass: number | null;
  /** Lowest rate shown to fail. */
  readonly fail: number | null;
  /** Rates between the two that were held as long as it took and stayed open, ascending: the capacity is close to them. */
  readonly open: readonly number[];
  /** Lowest and highest rate held, whatever they showed; `null` before any. */
  readonly lowest: number | null;
  readonly highest: number | null;
}

/** One held rate and its verdict. */
export interface Tried {
  readonly ratePerSecond: number;
  readonly verdict: Verdict;
  /** It was held in order to decide, for as long as that seemed possible. */
  readonly insisted: boolean;
  /** Share of violations, how many independent requests that rests on, and the share allowed. */
  readonly share: number;
  readonly effectiveN: number;
  readonly allowed: number;
}

/**
 * Rates held for an objective, ascending; windows at one rate are one sample, as long as all of them. A saturated rate
 * cannot be held for good, whatever it showed: it never passes.
 */
export function triedOf(points: readonly Point[], objective: string): readonly Tried[] {
  const byRate = new Map<number, Tried>();
  for (const point of points) {
    const found = point.verdicts.find((verdict) => verdict.objective === objective);
    if (point.offeredRatePerSecond === null || found === undefined || !point.valid) continue;
    const { share, effectiveN, shareAllowed: allowed } = found;
    const ratePerSecond = point.offeredRatePerSecond;
    const doubted = found.verdict === "pass" && point.saturated;
    const one: Tried = {
      ratePerSecond,
      verdict: doubted ? "undecided" : found.verdict,
      insisted: point.stage === "refine",
      share,
      effectiveN,
      allowed,
    };
    const before = byRate.get(ratePerSecond);
    byRate.set(ratePerSecond, before === undefined ? one : together(before, one));
  }
  return [...byRate.values()].sort((a, b) => a.ratePerSecond - b.ratePerSecond);
}

/** What two windows at one rate say together. Two that agree need no more proof. */
function together(a: Tried, b: Tried): Tried {
  const effectiveN = a.effectiveN + b.effectiveN;
  const share = (a.share * a.effectiveN + b.share * b.effectiveN) / effectiveN;
  const { lower, upper } = clopperPearson(share * effectiveN, effectiveN, LOOK_CONFIDENCE);
  const pooled = lower > a.allowed ? "fail" : upper <= a.allowed ? "pass" : "undecided";
  const verdict = a.verdict === b.verdict && a.verdict !== "undecided" ? a.verdict : pooled;
  return { ...a, verdict, insisted: a.insisted || b.insisted, share, effectiveN };
}

/**
 * The interval that passes and fails leave. Where they contradict each other (a fail below a pass) both are doubted: the
 * interval reaches from the highest pass below every fail to the lowest fail above every pass.
 */
export function bracketOf(tried: readonly Tried[]): Bracket {
  const rates = (verdict: Verdict): readonly number[] =>
    tried.filter((one) => one.verdict === verdict).map((one) => one.ratePerSecond);
  const [passes, fails] = [rates("pass"), rates("fail")];
  const lowestFail = Math.min(...fails);
  const highestPass = Math.max(...passes);
  const pass = passes.findLast((rate) => rate < lowestFail) ?? null;
  const fail = fails.find((rate) => rate > highestPass) ?? null;
  const open = tried
    .filter(({ insisted, verdict }) => insisted && verdict === "undecided")
    .map((one) => one.ratePerSecond)
    .filter((rate) => rate > (pass ?? 0) && rate < (fail ?? Infinity));
  const lowest = tried[0]?.ratePerSecond ?? null;
  const highest = tried.at(-1)?.ratePerSecond ?? null;
  return { pass, fail, open: [...new Set(open)], lowest, highest };
}

/**
 * Where the capacity most likely lies between a pass and a fail: a weighted line through the log odds of a violation over
 * the logarithm of the rate, at the odds allowed. It only says where to look next; nothing is concluded from it.
 */
export function likelyCapacity(tried: readonly Tried[], pass: number, fail: number): number {
  const middle = Math.sqrt(pass * fail);
  let [sw, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (const { ratePerSecond, share, effectiveN } of tried) {
    if (ratePerSecond < pass || ratePerSecond > fail) continue;
    const p = (share * effectiveN + 0.5) / (effectiveN + 1);
    const weight = effectiveN * p * (1 - p);
    const x = Math.log(ratePerSecond / middle);
    const y = Math.log(p / (1 - p));
    sw += weight;
    sx += weight * x;
    sy += weight * y;
    sxx += weight * x * x;
    sxy += weight * x * y;
  }
  const spread = sw * sxx - sx * sx;
  const slope = (sw * sxy - sx * sy) / spread;
  const allowed = tried[0]?.allowed ?? 0.5;
  if (!(spread > 0) || !(slope > 0)) return middle;
  const at = (Math.log(allowed / (1 - allowed)) - (sy - slope * sx) / sw) / slope;
  return Math.min(Math.max(middle * Math.exp(at), pass), fail);
}
