import type { Point, TokenSummary } from "../results/point.ts";
import { average } from "../statistics/batch-means.ts";
import { ascending, percentile } from "../statistics/percentile.ts";
import type { Sample } from "./sample.ts";

/** An output length is exact or it is not; an input may be off by what a template adds. */
const INPUT_TOLERANCE_TOKENS = 1;
const INPUT_TOLERANCE_SHARE = 0.002;

/** Lengths that came against lengths asked for, and how they were counted. */
export function tokensOf(
  completed: readonly Sample[],
): Pick<Point, "inputTokens" | "outputTokens" | "cachedInputShare" | "countedBy"> {
  const countedBy: Record<string, number> = {};
  for (const sample of completed) {
    countedBy[sample.countedBy] = (countedBy[sample.countedBy] ?? 0) + 1;
  }
  const cached = completed.filter((sample) => sample.cachedTokens !== null);
  const asked = cached.reduce((sum, sample) => sum + (sample.inputTokens ?? 0), 0);
  const found = cached.reduce((sum, sample) => sum + (sample.cachedTokens ?? 0), 0);
  return {
    inputTokens: lengths(
      completed,
      (sample) => [sample.inputTokens, sample.nominalInput],
      (asked) => Math.max(INPUT_TOLERANCE_TOKENS, INPUT_TOLERANCE_SHARE * asked),
    ),
    outputTokens: lengths(
      completed,
      (sample) => [sample.outputTokens, sample.nominalOutput],
      () => 0,
    ),
    cachedInputShare: asked === 0 ? null : found / asked,
    countedBy,
  };
}

function lengths(
  samples: readonly Sample[],
  of: (sample: Sample) => readonly [counted: number | null, nominal: number],
  tolerance: (nominal: number) => number,
): TokenSummary {
  const pairs = samples.map(of);
  const counted = ascending(pairs.map(([count]) => count).filter((count) => count !== null));
  const nominal = pairs.length === 0 ? 0 : average(pairs.map(([, wanted]) => wanted));
  const hit = pairs.filter(
    // Nothing was asked for: rows of a data set are as long as they are.
    ([count, wanted]) =>
      wanted === 0 || (count !== null && Math.abs(count - wanted) <= tolerance(wanted)),
  ).length;
  return {
    nominal,
    p50: percentile(counted, 0.5),
    min: counted[0] ?? null,
    max: counted.at(-1) ?? null,
    mean: counted.length === 0 ? null : average(counted),
    onTarget: counted.length === 0 ? null : hit / pairs.length,
  };
}
