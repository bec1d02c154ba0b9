import type { Point } from "./point.ts";
import type { Capacity, ShapeSummary } from "./summary.ts";

/** The answer in plain words, for the first shape that has one. `replicas`: how many a given rate needs. */
export function headlineOf(
  shapes: readonly ShapeSummary[],
  replicas: (ratePerSecond: number, capacity: Capacity) => number | null,
): string {
  const measured = shapes.filter(({ points }) => points.length > 0);
  if (measured.length === 0) return "Nothing was measured.";
  return measured.map((shape) => sentenceOf(shape, replicas)).join(" ");
}

/** A fleet's worth of traffic, to turn one replica's capacity into a number of replicas. */
const FLEET_FACTOR = 8;

function sentenceOf(
  shape: ShapeSummary,
  replicas: (ratePerSecond: number, capacity: Capacity) => number | null,
): string {
  const { capacities, minimum, maximum } = shape;
  const best = capacities.findLast(({ passRatePerSecond }) => passRatePerSecond !== null);
  if (best !== undefined) {
    const fleet = roundUp(FLEET_FACTOR * (best.passRatePerSecond ?? 0));
    const count = replicas(fleet, best);
    const plan = count === null ? "" : `; for ${fleet} requests/s plan ${count}`;
    return `One replica holds ${best.sentence} at ${shape.shape} with ${spoken(best.objective)}${plan}.`;
  }
  const alone =
    minimum.ttftMs === null
      ? "too few requests alone for a median"
      : `alone ${minimum.ttftMs.toFixed(0)} ms to the first token, then ${minimum.tpotMs?.toFixed(1) ?? "—"} ms a token`;
  const most =
    maximum === null
      ? ""
      : `; at most ${maximum.outputTokensPerSecond.toFixed(0)} tok/s (${maximum.requestsPerSecond.toFixed(2)} requests/s), ${maximum.concurrency === null ? "the highest rate held" : `reached with ${maximum.concurrency} at once`}`;
  const none = capacities[0];
  const capacity = none === undefined ? "" : `; ${spoken(none.objective)} is ${none.sentence}`;
  return `At ${shape.shape}: ${alone}${most}${capacity}.`;
}

/** `ttft_p95<=1s` → `TTFT p95 ≤ 1 s`. */
export function spoken(objective: string): string {
  return objective
    .replaceAll(/\b(ttft|tpot|e2e)/g, (metric) => metric.toUpperCase())
    .replace("_", " ")
    .replaceAll("<=", " ≤ ")
    .replaceAll(">=", " ≥ ")
    .replaceAll(/(\d)(ms|us|s|m)\b/g, "$1 $2");
}

/** To one digit upwards: 51.2 → 60. */
function roundUp(rate: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(rate, 1e-9)));
  return Number((Math.ceil(rate / unit) * unit).toPrecision(2));
}

/** Points whose figures count: all but the warm-up. */
export function measuredPoints(points: readonly Point[]): readonly Point[] {
  return points.filter(({ stage }) => stage !== "warm-up");
}
