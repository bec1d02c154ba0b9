import type { Point } from "./point.ts";
import { type Estimate, quantities, type Quantity, showEstimate } from "./quantity.ts";
import { loadOf } from "./report/figures.ts";
import type { Capacity, ShapeSummary, SweepSummary } from "./summary.ts";

/** One figure of one load level in two runs. */
export interface ComparisonRow {
  readonly shape: string;
  readonly load: string;
  readonly quantity: string;
  readonly before: number;
  readonly after: number;
  /** after / before. */
  readonly ratio: number;
  /** `same`: the intervals overlap, or the difference is below {@link EFFECT_MIN}. */
  readonly verdict: "better" | "worse" | "same";
  readonly sentence: string;
}

/** Two runs held against each other, matched by shape and load. */
export interface Comparison {
  readonly beforeRunId: string;
  readonly afterRunId: string;
  readonly rows: readonly ComparisonRow[];
  readonly better: number;
  readonly worse: number;
  readonly sentence: string;
  /** What makes them hard to compare: another engine version, another model. */
  readonly warnings: readonly string[];
}

/** Figures worth comparing; the rest of {@link quantities} says the same again or has no interval. */
const COMPARED = ["ttft_p50", "ttft_p95", "tpot_p50", "e2e_p50", "throughput"];
/** Smaller differences are real at best and never worth a release. */
export const EFFECT_MIN = 0.02;
/** Open-loop points chosen by a search rarely fall on the same rate; these are the same load. */
const RATE_TOLERANCE = 0.02;

/**
 * Says what changed from one run to another: only where their intervals lie apart, and by enough to matter. Points are
 * matched by shape and load; what only one run measured is left out.
 */
export function compareRuns(before: SweepSummary, after: SweepSummary): Comparison {
  const rows = after.shapes.flatMap((shape) => {
    const earlier = before.shapes.find((other) => other.shape === shape.shape);
    return earlier === undefined
      ? []
      : [...pointRows(earlier, shape), ...capacityRows(earlier, shape)];
  });
  const count = (verdict: ComparisonRow["verdict"]): number =>
    rows.filter((row) => row.verdict === verdict).length;
  const [better, worse] = [count("better"), count("worse")];
  return {
    beforeRunId: before.runId,
    afterRunId: after.runId,
    rows,
    better,
    worse,
    sentence: sentenceOf(rows.length, better, worse),
    warnings: differences(before, after),
  };
}

function sentenceOf(compared: number, better: number, worse: number): string {
  if (compared === 0) return "Nothing can be compared: the runs have no shape and load in common.";
  if (better + worse === 0) return `No difference in ${compared} figures: their intervals overlap.`;
  return `Of ${compared} figures ${worse} are worse and ${better} better; the rest do not differ.`;
}

function differences(before: SweepSummary, after: SweepSummary): readonly string[] {
  const fields = [
    ["model", before.subject.model, after.subject.model],
    ["engine", before.subject.engine, after.subject.engine],
    ["engine version", before.subject.engineVersion, after.subject.engineVersion],
    ["prompts", before.prompts, after.prompts],
  ] as const;
  return fields
    .filter(([, was, is]) => was !== is)
    .map(([name, was, is]) => `${name}: ${was ?? "unknown"} before, ${is ?? "unknown"} now`);
}

function pointRows(before: ShapeSummary, after: ShapeSummary): readonly ComparisonRow[] {
  const usable = (point: Point): boolean =>
    point.valid && point.stage !== "warm-up" && point.stage !== "repeat";
  return after.points.filter(usable).flatMap((point) => {
    const earlier = before.points.filter(usable).find((other) => sameLoad(other, point));
    if (earlier === undefined) return [];
    return (
      quantities
        .filter(({ name }) => COMPARED.includes(name))
        // Latency of a saturated point grows with the run: two of them say nothing about each other.
        .filter(({ unit }) => unit !== "ms" || !(point.saturated || earlier.saturated))
        .map((quantity) => pointRow(quantity, earlier, point))
        .filter((row) => row !== null)
    );
  });
}

function sameLoad(a: Point, b: Point): boolean {
  if (a.mode !== b.mode || a.arrivals !== b.arrivals) return false;
  if (a.mode === "closed") return a.concurrency === b.concurrency;
  const [rateA, rateB] = [a.offeredRatePerSecond ?? 0, b.offeredRatePerSecond ?? 0];
  return Math.abs(rateA - rateB) <= RATE_TOLERANCE * Math.max(rateA, rateB);
}

function pointRow(quantity: Quantity, before: Point, after: Point): ComparisonRow | null {
  const [was, is] = [quantity.of(before), quantity.of(after)];
  if (was === null || is === null || was.value === 0) return null;
  return row({ shape: after.shape, load: loadOf(after), quantity, was, is });
}

function capacityRows(before: ShapeSummary, after: ShapeSummary): readonly ComparisonRow[] {
  return after.capacities.flatMap((capacity) => {
    const earlier = before.capacities.find(({ objective }) => objective === capacity.objective);
    const [was, is] = [interval(earlier), interval(capacity)];
    if (was === null || is === null) return [];
    const quantity = { title: capacity.objective, unit: "req/s", better: "higher" } as const;
    return [row({ shape: after.shape, load: "capacity", quantity, was, is })];
  });
}

function interval(capacity: Capacity | undefined): Estimate | null {
  const { passRatePerSecond: low = null, failRatePerSecond: high = null } = capacity ?? {};
  if (low === null || high === null) return null;
  return { value: (low + high) / 2, low, high, n: 1 };
}

function row({
  shape,
  load,
  quantity,
  was,
  is,
}: {
  readonly shape: string;
  readonly load: string;
  readonly quantity: Pick<Quantity, "title" | "unit" | "better">;
  readonly was: Estimate;
  readonly is: Estimate;
}): ComparisonRow {
  const { title, unit, better } = quantity;
  const ratio = is.value / was.value;
  const apart = is.low > was.high || is.high < was.low;
  const matters = Math.abs(ratio - 1) >= EFFECT_MIN;
  const improved = better === "lower" ? ratio < 1 : ratio > 1;
  const verdict = !apart || !matters ? "same" : improved ? "better" : "worse";
  const change = `${ratio >= 1 ? "+" : "−"}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;
  return {
    shape,
    load,
    quantity: title,
    before: was.value,
    after: is.value,
    ratio,
    verdict,
    sentence: `${title} ${showEstimate(was, unit)} → ${showEstimate(is, unit)} (${change})${verdict === "same" ? ", no difference" : `, ${verdict}`}`,
  };
}
