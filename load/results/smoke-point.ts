import { type Exchange, e2eMs, tpotMs, ttftMs } from "../../engines/exchange.ts";
import { ascending, percentile, samplesNeeded } from "../statistics/percentile.ts";

/** A latency of one point. A percentile the sample is too small for is `null`, never a guess. */
export interface LatencySummary {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly n: number;
}

/** One load level held for a time, and what it gave: a row of `points.jsonl`. */
export interface Point {
  readonly pointId: string;
  readonly shape: string;
  readonly mode: "closed" | "open";
  readonly concurrency: number | null;
  readonly offeredRatePerSecond: number | null;
  readonly windowMs: number;
  readonly sent: number;
  readonly completed: number;
  readonly failed: number;
  readonly completedRatePerSecond: number;
  readonly outputTokensPerSecond: number;
  readonly ttftMs: LatencySummary;
  readonly tpotMs: LatencySummary;
  readonly e2eMs: LatencySummary;
  readonly sendLagP99Ms: number | null;
  /** False when the generator, not the engine, was measured. */
  readonly valid: boolean;
  readonly invalidBecause: string | null;
}

/** Latest sends by more than this, and the generator is what was measured. */
const SEND_LAG_MS_MAX = 20;

/** What a point is made from. */
export interface PointParts {
  readonly pointId: string;
  readonly shape: string;
  readonly concurrency: number | null;
  readonly offeredRatePerSecond: number | null;
  readonly windowMs: number;
  readonly exchanges: readonly Exchange[];
  readonly sendLagsMs: readonly number[];
}

/** Sums a point up. Only completed requests have latencies; a cancelled one is the sweep's own doing at the window's end. */
export function summarise(parts: PointParts): Point {
  const { pointId, shape, concurrency, offeredRatePerSecond, windowMs, exchanges, sendLagsMs } =
    parts;
  const completed = exchanges.filter((exchange) => exchange.outcome.kind === "completed");
  const failed = exchanges.filter(
    (exchange) => exchange.outcome.kind !== "completed" && exchange.outcome.kind !== "cancelled",
  );
  // Tokens of cut-off requests were produced too: throughput counts what came, not what finished.
  const tokens = exchanges.reduce((sum, exchange) => sum + (exchange.tokens.output ?? 0), 0);
  const seconds = windowMs / 1000;
  const lag = percentile(ascending(sendLagsMs), 0.99);
  const late = lag !== null && lag > SEND_LAG_MS_MAX;
  const nothing = completed.length === 0;
  return {
    pointId,
    shape,
    mode: concurrency === null ? "open" : "closed",
    concurrency,
    offeredRatePerSecond,
    windowMs,
    sent: exchanges.length,
    completed: completed.length,
    failed: failed.length,
    completedRatePerSecond: completed.length / seconds,
    outputTokensPerSecond: tokens / seconds,
    ttftMs: latency(completed, ttftMs),
    tpotMs: latency(completed, tpotMs),
    e2eMs: latency(completed, e2eMs),
    sendLagP99Ms: lag,
    valid: !late && !nothing,
    invalidBecause: late
      ? `sends left ${lag.toFixed(0)} ms late at the p99: the generator was the limit`
      : nothing
        ? "no request completed"
        : null,
  };
}

function latency(
  exchanges: readonly Exchange[],
  of: (exchange: Exchange) => number | null,
): LatencySummary {
  const sorted = ascending(exchanges.map(of).filter((value) => value !== null));
  const at = (q: number): number | null =>
    sorted.length < samplesNeeded(q) ? null : percentile(sorted, q);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: sorted.length };
}
