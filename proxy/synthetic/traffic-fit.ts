import { type Exchange } from "../../engines/exchange.ts";
import { plainWorkload, PREFIXES_DEFAULT, type Workload } from "../../load/prompts/workload.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import type { TraceRow } from "../../load/trace.ts";
import type { TrafficFit } from "./sweep-view.ts";

/** What a workload is fitted to: one real request, or one row of a trace. */
export type FitRow = Pick<TraceRow, "atMs" | "inputTokens" | "outputTokens" | "cachedTokens">;

/** Buckets of the input length, and in each of them of the output length: up to sixteen shapes. */
const INPUT_BUCKETS = 4;
const OUTPUT_BUCKETS = 4;
/** With fewer requests buckets would hold a handful each. */
export const FIT_REQUESTS_MIN = 50;
/** Shapes rarer than this are folded into their nearest neighbour. */
const WEIGHT_MIN = 0.01;
/** Burstiness within this of 1 is Poisson's. */
const POISSON_CV = 0.15;
/** The name a fitted workload goes by. */
export const MY_TRAFFIC = "my-traffic";

/** Real exchanges as rows; those whose engine counted no tokens have no shape. */
export function fitRows(exchanges: Iterable<Exchange>, model?: string): readonly FitRow[] {
  const rows: FitRow[] = [];
  for (const { origin, outcome, tokens, times, model: asked } of exchanges) {
    if (origin !== "real" || outcome.kind !== "completed") continue;
    if (model !== undefined && asked !== model) continue;
    const { input: inputTokens, output: outputTokens, cachedInput: cachedTokens } = tokens;
    if (inputTokens === null || outputTokens === null || inputTokens < 1 || outputTokens < 1)
      continue;
    rows.push({ atMs: times.startedMs, inputTokens, outputTokens, cachedTokens });
  }
  return rows;
}

/**
 * A workload like these requests: shapes from joint quantiles of input and output with their weights, how bursty they came,
 * and which share of their input was cached. Means of tokens are kept exactly, up to rounding.
 */
export function fitTraffic(rows: readonly FitRow[]): TrafficFit {
  const sorted = rows.toSorted((a, b) => a.atMs - b.atMs);
  const [first, last] = [sorted[0], sorted.at(-1)];
  const spanMs = first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
  const notes: string[] = [];
  const arrivalCv = cvOfGaps(sorted);
  const cachedShare = cachedShareOf(rows);
  if (cachedShare === null && rows.length > 0)
    notes.push("no engine said what was cached: prompts will share nothing");
  if (rows.length < FIT_REQUESTS_MIN)
    notes.push(
      `${rows.length} requests with counted tokens are too few for a workload: ${FIT_REQUESTS_MIN} are needed`,
    );
  const arrivals = arrivalsOf(arrivalCv);
  if (arrivals === "gamma" && arrivalCv !== null && arrivalCv < 1)
    notes.push(`arrivals are more even than chance (cv ${arrivalCv.toFixed(2)})`);
  const parts = rows.length === 0 ? [] : shapesOf(rows);
  return {
    requests: rows.length,
    fromMs: first?.atMs ?? null,
    toMs: last?.atMs ?? null,
    ratePerSecond: spanMs > 0 ? ((rows.length - 1) / spanMs) * 1000 : null,
    arrivalCv,
    cachedShare,
    parts,
    workload: rows.length < FIT_REQUESTS_MIN ? null : fittedWorkload({ parts, cachedShare }),
    arrivals,
    notes,
  };
}

type Part = TrafficFit["parts"][number];

/** Which process arrivals of this burstiness are. */
export function arrivalsOf(cv: number | null): "poisson" | "gamma" {
  return cv === null || Math.abs(cv - 1) <= POISSON_CV ? "poisson" : "gamma";
}

/** The workload of fitted shapes. */
export function fittedWorkload(
  { parts, cachedShare }: Pick<TrafficFit, "parts" | "cachedShare">,
  name = MY_TRAFFIC,
): Workload {
  return {
    ...plainWorkload({ inputTokens: 1, outputTokens: 1 }),
    name,
    parts: parts.map(({ inputTokens, outputTokens, weight }) => ({
      shape: { inputTokens, outputTokens },
      weight,
    })),
    prefixShare: Math.round((cachedShare ?? 0) * 100) / 100,
    prefixes: PREFIXES_DEFAULT,
  };
}

/** Requests of equal length stay together, so a mixture of fixed shapes comes back as it was. */
function shapesOf(rows: readonly FitRow[]): readonly Part[] {
  const groups = buckets(rows, (row) => row.inputTokens, INPUT_BUCKETS).flatMap((group) =>
    buckets(group, (row) => row.outputTokens, OUTPUT_BUCKETS),
  );
  const parts = groups.map((group) => ({
    inputTokens: Math.max(1, Math.round(mean(group, (row) => row.inputTokens))),
    outputTokens: Math.max(1, Math.round(mean(group, (row) => row.outputTokens))),
    weight: group.length / rows.length,
  }));
  return folded(parts).toSorted((a, b) => b.weight - a.weight);
}

/** Splits rows at quantiles of a length; a quantile that falls on many equal values moves none of them apart. */
function buckets(
  rows: readonly FitRow[],
  of: (row: FitRow) => number,
  count: number,
): readonly (readonly FitRow[])[] {
  const lengths = ascending(rows.map(of));
  const distinct = [...new Set(lengths)];
  const limits =
    distinct.length <= count
      ? distinct
      : Array.from({ length: count }, (_, index) => percentile(lengths, (index + 1) / count) ?? 0);
  const groups = limits.map((): FitRow[] => []);
  for (const row of rows) {
    const at = limits.findIndex((limit) => of(row) <= limit);
    groups[at === -1 ? limits.length - 1 : at]?.push(row);
  }
  return groups.filter((group) => group.length > 0);
}

/** Rare shapes join the one nearest in length, whose mean moves by as much as they weigh. */
function folded(parts: readonly Part[]): readonly Part[] {
  const kept = parts.filter(({ weight }) => weight >= WEIGHT_MIN);
  if (kept.length === 0) return parts;
  for (const rare of parts) {
    if (rare.weight >= WEIGHT_MIN) continue;
    const at = kept.reduce(
      (best, part, index) =>
        distance(part, rare) < distance(kept[best] ?? part, rare) ? index : best,
      0,
    );
    const near = kept[at];
    if (near !== undefined) kept[at] = merged(near, rare);
  }
  return kept;
}

function merged(a: Part, b: Part): Part {
  const weight = a.weight + b.weight;
  const joint = (of: (part: Part) => number): number =>
    Math.round((a.weight * of(a) + b.weight * of(b)) / weight);
  return {
    inputTokens: joint((part) => part.inputTokens),
    outputTokens: joint((part) => part.outputTokens),
    weight,
  };
}

/** In ratios: 100 to 200 tokens is as far as 1,000 to 2,000. */
function distance(a: Part, b: Part): number {
  return (
    Math.abs(Math.log(a.inputTokens / b.inputTokens)) +
    Math.abs(Math.log(a.outputTokens / b.outputTokens))
  );
}

function cvOfGaps(sorted: readonly FitRow[]): number | null {
  const gaps = sorted.slice(1).map((row, index) => row.atMs - (sorted[index]?.atMs ?? 0));
  if (gaps.length < FIT_REQUESTS_MIN - 1) return null;
  const average = mean(gaps, (gap) => gap);
  if (average === 0) return null;
  return Math.sqrt(mean(gaps, (gap) => (gap - average) ** 2)) / average;
}

function cachedShareOf(rows: readonly FitRow[]): number | null {
  const told = rows.filter(({ cachedTokens }) => typeof cachedTokens === "number");
  if (told.length === 0) return null;
  return mean(told, (row) => row.cachedTokens ?? 0) / mean(told, (row) => row.inputTokens);
}

function mean<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0) / values.length;
}
