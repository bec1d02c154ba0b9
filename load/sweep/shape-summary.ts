import type { Point } from "../results/point.ts";
import type { ShapeSummary } from "../results/summary.ts";
import { capacityOf } from "./capacity.ts";
import { levelsOf, type ShapeState, throughputOf } from "./shape-state.ts";
import { DRIFT_MAX, repeatedOf } from "./steps/repeat.ts";

/** What the points of one workload say together. */
export function summariseShape(state: ShapeState): ShapeSummary {
  const { plan, workload, points } = state;
  const measured = points.filter(({ stage }) => stage !== "warm-up");
  const alone = measured.find(({ stage }) => stage === "minimum");
  // Rates somebody gave were not searched for: how far apart they are is theirs.
  const ratioWanted = plan.rates.length > 0 ? Infinity : plan.preset.refine.ratio;
  const hasRates = measured.some(({ mode }) => mode === "open");
  return {
    shape: workload.name,
    skippedBecause: null,
    points: measured,
    capacities: hasRates
      ? plan.objectives.map((objective) => capacityOf(objective, measured, ratioWanted))
      : [],
    minimum: {
      ttftMs: alone?.ttftMs.p50 ?? null,
      tpotMs: alone?.tpotMs.p50 ?? null,
      e2eMs: alone?.e2eMs.p50 ?? null,
    },
    maximum: maximumOf(state, measured),
    drift: driftOf(measured),
  };
}

/** A workload that was not run, and why. */
export function skippedShape(shape: string, skippedBecause: string): ShapeSummary {
  const minimum = { ttftMs: null, tpotMs: null, e2eMs: null };
  return { shape, skippedBecause, points: [], capacities: [], minimum, maximum: null, drift: null };
}

/** Of valid points only; of held rates where the sweep held nothing but those and one request alone. */
function maximumOf(state: ShapeState, measured: readonly Point[]): ShapeSummary["maximum"] {
  const levels = levelsOf(state);
  const candidates = levels.some(({ stage }) => stage !== "minimum") ? levels : measured;
  const [top] = candidates
    .filter(({ valid }) => valid)
    .sort((a, b) => throughputOf(b) - throughputOf(a));
  if (top === undefined || throughputOf(top) === 0) return null;
  const requestsPerSecond = throughputOf(top);
  const tokens = top.outputTokens.mean;
  const outputTokensPerSecond =
    top.mode === "closed" && tokens !== null
      ? requestsPerSecond * tokens
      : top.outputTokensPerSecond;
  return { requestsPerSecond, outputTokensPerSecond, concurrency: top.concurrency };
}

function driftOf(points: readonly Point[]): ShapeSummary["drift"] {
  const again = points.find(({ stage }) => stage === "repeat");
  const first = repeatedOf(points);
  if (again === undefined || first === null) return null;
  const ttft = change(first.ttftMs.p50, again.ttftMs.p50);
  const tpot = change(first.tpotMs.p50 ?? first.e2eMs.p50, again.tpotMs.p50 ?? again.e2eMs.p50);
  const drifted = [ttft, tpot].some((value) => value !== null && Math.abs(value) > DRIFT_MAX);
  return { ttft, tpot, drifted };
}

function change(before: number | null, after: number | null): number | null {
  return before === null || after === null || before === 0 ? null : after / before - 1;
}
