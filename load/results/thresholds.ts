import type { Point } from "./point.ts";
import { type Estimate, quantities, type Quantity, showEstimate } from "./quantity.ts";
import { loadOf } from "./report/figures.ts";
import type { ShapeSummary, SweepSummary } from "./summary.ts";

/** A condition under which a run fails: `ttft_p95@8 > 300ms`, `capacity < 6`, `throughput < -5%`. */
export interface Threshold {
  readonly text: string;
  readonly quantity: Quantity | "capacity";
  /** Objective of `capacity(…)`; `null` for all. */
  readonly objective: string | null;
  /** Concurrency (`@8`) or rate (`@3.5rps`) of the points meant; `null` for the run's own choice. */
  readonly at: { readonly concurrency: number } | { readonly ratePerSecond: number } | null;
  readonly fails: "above" | "below";
  /** In the quantity's unit, or a share of the baseline's value. */
  readonly bound: number;
  readonly relative: boolean;
}

export interface ThresholdResult {
  readonly text: string;
  /** `undecided`: the interval holds the bound, or there is no figure to judge. */
  readonly verdict: "breached" | "held" | "undecided";
  readonly sentence: string;
}

/** Text that is no threshold, with the forms that are. */
export class ThresholdError extends Error {
  override readonly name = "ThresholdError";
}

const FORM =
  /^([a-z0-9_]+)(?:\((.+)\))?(?:@(\d+(?:\.\d+)?)(rps)?)?(>=?|<=?)([+-]?\d+(?:\.\d+)?)(ms|s|%)?$/;
const FORMS = '"ttft_p95 > 300ms", "ttft_p95@8 > 300ms", "capacity < 6", "throughput < -5%"';
/** A point planned at another rate than this far off is not the one asked for. */
const RATE_TOLERANCE = 0.05;

/** Reads one `--fail-if`. @throws {ThresholdError} naming what is wrong and the forms. */
export function readThreshold(text: string): Threshold {
  const [, name = "", objective, level, rps, operator = "", number = "", unit] =
    FORM.exec(text.replaceAll(/\s+/g, "")) ?? [];
  if (name === "") throw new ThresholdError(`"${text}" is not a condition: write ${FORMS}.`);
  const quantity = name === "capacity" ? name : quantities.find((known) => known.name === name);
  if (quantity === undefined) {
    const known = ["capacity", ...quantities.map((one) => one.name)].join(", ");
    throw new ThresholdError(`"${text}": there is no figure "${name}": choose one of ${known}.`);
  }
  const relative = /^[+-]/.test(number);
  return {
    text,
    quantity,
    objective: objective ?? null,
    at: level === undefined ? null : levelOf(Number(level), rps),
    fails: operator.startsWith(">") ? "above" : "below",
    relative,
    bound: boundOf(text, quantity, { value: Number(number), unit, relative }),
  };
}

function levelOf(value: number, rps: string | undefined): Threshold["at"] {
  return rps === undefined ? { concurrency: value } : { ratePerSecond: value };
}

function boundOf(
  text: string,
  quantity: Threshold["quantity"],
  { value, unit, relative }: { value: number; unit: string | undefined; relative: boolean },
): number {
  if (relative) {
    if (unit !== "%")
      throw new ThresholdError(
        `"${text}": a change against the baseline is in per cent, such as +10%.`,
      );
    return value / 100;
  }
  const wanted = quantity === "capacity" ? "req/s" : quantity.unit;
  if (wanted === "ms") {
    if (unit !== "ms" && unit !== "s")
      throw new ThresholdError(`"${text}": a latency needs its unit, such as ${value}ms.`);
    return unit === "s" ? value * 1000 : value;
  }
  if (unit === "ms" || unit === "s")
    throw new ThresholdError(`"${text}": ${wanted} is not a time: leave the unit out.`);
  return unit === "%" ? value / 100 : value;
}

/** Judges a run by its intervals: breached only when the whole interval is beyond the bound. */
export function judge(
  threshold: Threshold,
  summary: SweepSummary,
  baseline: SweepSummary | null,
): ThresholdResult {
  const { text } = threshold;
  if (threshold.relative && baseline === null)
    return {
      text,
      verdict: "undecided",
      sentence: "there is no baseline: name one with --baseline",
    };
  const findings = summary.shapes.flatMap((shape) => {
    const earlier = baseline?.shapes.find((other) => other.shape === shape.shape);
    return estimates(threshold, shape).map((found) => judgeOne(threshold, found, earlier));
  });
  if (findings.length === 0)
    return { text, verdict: "undecided", sentence: "no point of the run has this figure" };
  const worst =
    findings.find(({ verdict }) => verdict === "breached") ??
    findings.find(({ verdict }) => verdict === "undecided") ??
    findings[0];
  return { text, verdict: worst?.verdict ?? "undecided", sentence: worst?.sentence ?? "" };
}

interface Found {
  readonly where: string;
  /** Tells the same figure in the baseline. */
  readonly key: string;
  readonly estimate: Estimate | null;
}

type Finding = Pick<ThresholdResult, "verdict" | "sentence">;

function judgeOne(threshold: Threshold, found: Found, earlier: ShapeSummary | undefined): Finding {
  const { fails, relative } = threshold;
  const { estimate, where } = found;
  if (estimate === null) {
    const why = threshold.quantity === "capacity" ? "no rate was decided" : "too few samples";
    return { verdict: "undecided", sentence: `${where}: ${why}` };
  }
  const was = relative
    ? (estimates(threshold, earlier).find(({ key }) => key === found.key)?.estimate ?? null)
    : null;
  if (relative && was === null)
    return { verdict: "undecided", sentence: `${where}: the baseline did not measure it` };
  const bound = was === null ? threshold.bound : was.value * (1 + threshold.bound);
  const unit = threshold.quantity === "capacity" ? "req/s" : threshold.quantity.unit;
  const beyond = fails === "above" ? estimate.low > bound : estimate.high < bound;
  const within = fails === "above" ? estimate.high <= bound : estimate.low >= bound;
  const shownBound = showEstimate({ ...estimate, value: bound }, unit);
  const against = was === null ? "" : ` (${showEstimate(was, unit)} before)`;
  const sentence = `${where}: ${showEstimate(estimate, unit)}${against}, bound ${shownBound}, n ${estimate.n}`;
  if (beyond) return { verdict: "breached", sentence };
  return within
    ? { verdict: "held", sentence }
    : { verdict: "undecided", sentence: `${sentence}: its interval holds the bound` };
}

function estimates(threshold: Threshold, shape: ShapeSummary | undefined): readonly Found[] {
  if (shape === undefined) return [];
  const { quantity, objective } = threshold;
  if (quantity !== "capacity") {
    return pointsMeant(threshold, shape).map((point) => ({
      where: `${shape.shape}, ${loadOf(point)}`,
      key: `${point.mode} ${point.concurrency ?? point.offeredRatePerSecond}`,
      estimate: quantity.of(point),
    }));
  }
  return shape.capacities
    .filter((capacity) => objective === null || capacity.objective === objective)
    .map((capacity) => ({
      where: `${shape.shape}, ${capacity.objective}`,
      key: capacity.objective,
      estimate: capacityEstimate(capacity.passRatePerSecond, capacity.failRatePerSecond),
    }));
}

function capacityEstimate(low: number | null, high: number | null): Estimate | null {
  if (low === null) return high === null ? null : { value: 0, low: 0, high, n: 1 };
  return { value: low, low, high: high ?? Infinity, n: 1 };
}

/**
 * The points a condition is about: those named; else, where the user fixed the loads, all of them; else one request at a
 * time for a latency and the whole run for everything else.
 */
function pointsMeant({ at, quantity }: Threshold, { points }: ShapeSummary): readonly Point[] {
  const usable = points.filter(
    ({ valid, stage }) => valid && stage !== "warm-up" && stage !== "repeat",
  );
  if (at !== null && "concurrency" in at)
    return usable.filter(({ concurrency }) => concurrency === at.concurrency);
  if (at !== null)
    return usable.filter(
      ({ offeredRatePerSecond: rate }) =>
        rate !== null && Math.abs(rate - at.ratePerSecond) <= RATE_TOLERANCE * at.ratePerSecond,
    );
  const alone = usable.filter(({ stage }) => stage === "minimum");
  if (quantity === "capacity" || quantity.unit === "ms") return alone.length > 0 ? alone : usable;
  if (quantity.unit === "share") return usable.filter(({ saturated }) => !saturated);
  const best = usable.toSorted((a, b) => b.outputTokensPerSecond - a.outputTokensPerSecond)[0];
  return best === undefined ? [] : [best];
}
