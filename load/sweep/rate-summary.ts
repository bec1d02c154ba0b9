import type { Point } from "../results/point.ts";
import { average, batchMeans } from "../statistics/batch-means.ts";
import { binsBetween, type PointRecord } from "./point-record.ts";

/** Requests and tokens a second in a window, by the time things happened in it. */
export function ratesOf(
  record: PointRecord,
  from: number,
  to: number,
): Pick<
  Point,
  | "completedRatePerSecond"
  | "completedRateHalfWidth"
  | "outputTokensPerSecond"
  | "outputTokensHalfWidth"
  | "inputTokensPerSecond"
> {
  const rate = (bins: readonly number[]): [perSecond: number, halfWidth: number | null] => {
    const values = binsBetween(bins, from, to);
    if (values.length === 0) return [0, null];
    const scale = (values.length * 1000) / Math.max(1, to - from);
    const estimate = batchMeans(values);
    return [average(values) * scale, estimate === null ? null : estimate.halfWidth * scale];
  };
  const [countedRate, completedRateHalfWidth] = rate(record.completions);
  const completedRatePerSecond = rateBetweenEnds(record, from, to) ?? countedRate;
  const [outputTokensPerSecond, outputTokensHalfWidth] = rate(record.outputTokens);
  // Prompts are paid for when their first token is out.
  let input = 0;
  for (const { plannedMs, ttftMs, inputTokens } of record.samples) {
    const firstMs = plannedMs + (ttftMs ?? Infinity);
    if (firstMs >= from && firstMs < to) input += inputTokens ?? 0;
  }
  const inputTokensPerSecond = (input * 1000) / Math.max(1, to - from);
  return {
    completedRatePerSecond,
    completedRateHalfWidth,
    outputTokensPerSecond,
    outputTokensHalfWidth,
    inputTokensPerSecond,
  };
}

/** Below so many completions the window's edges are all there is. */
const ENDS_MIN = 10;

/** Before the first and after the last of them, this many gaps between them are chance; more, and they came as a wave. */
const EDGE_GAPS_MAX = 4;

/**
 * Completions after the first over the time from the first to the last: free of what the window's edges cut. `null` where
 * they do not fill the window: a wave's own rate is not the window's.
 */
function rateBetweenEnds(record: PointRecord, from: number, to: number): number | null {
  let count = 0;
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for (const { kind, endedMs } of record.samples) {
    if (kind !== "completed" || endedMs < from || endedMs >= to) continue;
    count++;
    firstMs = Math.min(firstMs, endedMs);
    lastMs = Math.max(lastMs, endedMs);
  }
  if (count < ENDS_MIN || lastMs <= firstMs) return null;
  const gapMs = (lastMs - firstMs) / (count - 1);
  const edgesMs = to - from - (lastMs - firstMs);
  return edgesMs > EDGE_GAPS_MAX * gapMs ? null : 1000 / gapMs;
}
