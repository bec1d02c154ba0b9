import type { LatencySummary, Point } from "../point.ts";
import type { SweepSummary } from "../summary.ts";

/** One column of the flat tables: a name that ends in its unit, a type, a sentence, and where the value comes from. */
export interface Column {
  readonly name: string;
  readonly type: "text" | "number" | "integer" | "flag";
  readonly about: string;
  of(point: Point, summary: SweepSummary): string | number | boolean | null;
}

/** Columns of one row per point: the CSV and Parquet files, and their dictionary. */
export const columns: readonly Column[] = [
  text("run_id", "the run", (_, { runId }) => runId),
  text("engine", "software measured", (_, { subject }) => subject.engine),
  text("engine_version", "its version", (_, { subject }) => subject.engineVersion),
  text("model", "model asked for", (_, { subject }) => subject.model),
  text("target", "address measured", (_, { subject }) => subject.target),
  text("shape", "input x output tokens", ({ shape }) => shape),
  text("point_id", "the point", ({ pointId }) => pointId),
  text("stage", "part of the sweep", ({ stage }) => stage),
  text("mode", "closed (by concurrency) or open (by rate)", ({ mode }) => mode),
  text("arrivals", "arrival process", ({ arrivals }) => arrivals),
  integer("concurrency", "users at once, closed loop", ({ concurrency }) => concurrency),
  number(
    "offered_rate_per_second",
    "requests planned a second, open loop",
    (point) => point.offeredRatePerSecond,
  ),
  number(
    "completed_rate_per_second",
    "requests completed a second",
    (point) => point.completedRatePerSecond,
  ),
  number(
    "completed_rate_half_width",
    "half the 95 % interval of that",
    (point) => point.completedRateHalfWidth,
  ),
  number(
    "output_tokens_per_second",
    "tokens produced a second",
    (point) => point.outputTokensPerSecond,
  ),
  number(
    "output_tokens_half_width",
    "half the 95 % interval of that",
    (point) => point.outputTokensHalfWidth,
  ),
  number(
    "input_tokens_per_second",
    "prompt tokens a second",
    (point) => point.inputTokensPerSecond,
  ),
  ...latency("ttft", "time to first token, from the planned send", (point) => point.ttftMs),
  ...latency("service_ttft", "the same from the actual send", (point) => point.serviceTtftMs),
  ...latency(
    "ttfot",
    "time to first output token after reasoning; empty where none was seen",
    (point) => point.ttfotMs ?? null,
  ),
  ...latency("tpot", "time per output token after the first", (point) => point.tpotMs),
  ...latency("itl", "gap between token events, per token", (point) => point.itlMs),
  ...latency("e2e", "end to end", (point) => point.e2eMs),
  ...latency("stall", "longest gap of each request", (point) => point.stallMs),
  number("input_tokens_p50", "prompt tokens counted", (point) => point.inputTokens.p50),
  number("output_tokens_p50", "output tokens counted", (point) => point.outputTokens.p50),
  number(
    "cached_input_share",
    "share of prompt tokens from the prefix cache",
    (point) => point.cachedInputShare,
  ),
  integer("requests", "requests planned in the window", ({ n }) => n),
  integer("completed", "of these, completed", ({ completed }) => completed),
  integer("failed", "of these, failed", ({ failed }) => failed),
  integer("censored", "of these, cut before they ended", ({ censored }) => censored),
  number("window_ms", "length of the window", ({ windowMs }) => windowMs),
  number("in_flight_mean", "requests under way", ({ inFlightMean }) => inFlightMean),
  number("send_lag_p99_ms", "how late requests left", ({ sendLagP99Ms }) => sendLagP99Ms),
  flag("saturated", "beyond what the engine can keep up with", ({ saturated }) => saturated),
  flag("valid", "the engine, not the generator, was measured", ({ valid }) => valid),
  text("invalid_because", "why it is not", ({ invalidBecause }) => invalidBecause),
  text("flags", "what to know of the point", ({ flags }) => flags.join(" ")),
];

function text(name: string, about: string, of: Column["of"]): Column {
  return { name, type: "text", about, of };
}

function number(name: string, about: string, of: Column["of"]): Column {
  return { name, type: "number", about, of };
}

function integer(name: string, about: string, of: Column["of"]): Column {
  return { name, type: "integer", about, of };
}

function flag(name: string, about: string, of: Column["of"]): Column {
  return { name, type: "flag", about, of };
}

function latency(
  name: string,
  about: string,
  of: (point: Point) => LatencySummary | null,
): Column[] {
  const fields = ["p50", "p90", "p95", "p99", "mean", "max"] as const;
  return [
    ...fields.map((field) =>
      number(`${name}_${field}_ms`, about, (point) => of(point)?.[field] ?? null),
    ),
    number(
      `${name}_p50_low_ms`,
      `${about}: 95 % interval of the median`,
      (point) => of(point)?.low ?? null,
    ),
    number(
      `${name}_p50_high_ms`,
      `${about}: 95 % interval of the median`,
      (point) => of(point)?.high ?? null,
    ),
    number(
      `${name}_p95_low_ms`,
      `${about}: 95 % interval of the p95`,
      (point) => of(point)?.p95Low ?? null,
    ),
    number(
      `${name}_p95_high_ms`,
      `${about}: 95 % interval of the p95`,
      (point) => of(point)?.p95High ?? null,
    ),
    integer(`${name}_n`, `${about}: requests in it`, (point) => of(point)?.n ?? null),
  ];
}

/** Points that are results: all but the warm-up. */
export function resultPoints(summary: SweepSummary): readonly Point[] {
  return summary.shapes.flatMap(({ points }) => points).filter(({ stage }) => stage !== "warm-up");
}
