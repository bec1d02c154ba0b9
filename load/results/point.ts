import type { OutcomeKind } from "../../engines/exchange.ts";

/**
 * A latency of one point, in ms, over requests *planned* in its window. A percentile the sample is too small for, or one
 * that lies beyond what was waited for, is `null`, never a guess.
 */
export interface LatencySummary {
  readonly n: number;
  /** Requests of `n` that did not get so far before they were cut: they sort last, as "longer than waited for". */
  readonly censored: number;
  readonly mean: number | null;
  readonly sd: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** 95 % interval of the median, from order statistics. `high` is `null` when the samples do not bound it. */
  readonly low: number | null;
  readonly high: number | null;
  /** The same of the 95th percentile. */
  readonly p95Low: number | null;
  readonly p95High: number | null;
}

/** A mean rate with the half width of its 95 % interval; `null` where the window was too short for one. */
export interface RateSummary {
  readonly perSecond: number;
  readonly halfWidth: number | null;
}

/** What part of a sweep a point belongs to. Points of `warm-up` are kept and never part of a result. */
export const STAGES = [
  "warm-up",
  "minimum",
  "ladder",
  "flood",
  "envelope",
  "refine",
  "repeat",
] as const;

export type StageName = (typeof STAGES)[number];

/** Names of arrival processes as users write them; `closed` has none. */
export type ArrivalName = "closed" | "poisson" | "constant" | "gamma" | "ramp" | "trace";

export type Verdict = "pass" | "fail" | "undecided";

/** Whether a point met one objective, and how sure that is. */
export interface ObjectiveVerdict {
  readonly objective: string;
  readonly verdict: Verdict;
  readonly n: number;
  readonly violations: number;
  /**
   * Share of violations as if exactly the planned load had come: `violations / n`, less what more or fewer arrivals than
   * planned did to it, where that can be told.
   */
  readonly share: number;
  /** Independent requests `n` is worth, for the bounds: neighbours wait in the same queue. */
  readonly effectiveN: number;
  /** One-sided Clopper–Pearson bounds of the share of violations. */
  readonly shareLow: number;
  readonly shareHigh: number;
  /** Share of violations the objective allows. */
  readonly shareAllowed: number;
}

/** How the load generator itself did during a point. */
export interface GeneratorReading {
  readonly sendLagP99Ms: number | null;
  readonly loopDelayP99Ms: number | null;
  /** Of one core, the busiest thread; `null` where there is no machine behind the clock. */
  readonly cpuShare: number | null;
  readonly eventsPerSecond: number;
}

/** One second of a point. */
export interface PointSecond {
  readonly arrivals: number;
  readonly completions: number;
  readonly inFlight: number;
  readonly outputTokens: number;
}

/** Quality flags in closed words, so that a reader can filter by them. */
export type PointFlag =
  | "saturated"
  | "client-bound"
  | "capped"
  | "cache-warm"
  | "off-target-output"
  | "off-target-input"
  | "estimated-tokens"
  | "too-few-samples"
  | "not-steady"
  | "censored"
  | "failures"
  | "undecided";

/** One load level held for a time, and what it gave: a row of `points.jsonl`. */
export interface Point {
  readonly pointId: string;
  readonly shape: string;
  readonly stage: StageName;
  readonly mode: "closed" | "open";
  readonly arrivals: ArrivalName;
  readonly concurrency: number | null;
  readonly offeredRatePerSecond: number | null;
  readonly repeat: number;

  readonly startedMs: number;
  readonly settleMs: number;
  readonly windowMs: number;
  /** After the window: the tail under load and the wait for its requests. */
  readonly drainMs: number;
  readonly stopReason: StopReason;

  /** Over the whole point. */
  readonly sent: number;
  /** Of requests planned in the window. */
  readonly n: number;
  readonly completed: number;
  readonly failed: number;
  /** Planned in the window, cut before they ended. */
  readonly censored: number;
  readonly outcomes: Readonly<Partial<Record<OutcomeKind, number>>>;
  readonly failedBy: Readonly<Record<string, number>>;

  readonly sentRatePerSecond: number;
  readonly completedRatePerSecond: number;
  readonly completedRateHalfWidth: number | null;
  readonly outputTokensPerSecond: number;
  readonly outputTokensHalfWidth: number | null;
  readonly inputTokensPerSecond: number;
  readonly inFlightMean: number;
  readonly inFlightMax: number;
  /** |N − X·R| / N: above 0.1 the window was not in balance. */
  readonly littleError: number | null;

  readonly ttftMs: LatencySummary;
  /** From the actual send: what tools that omit the wait would show. */
  readonly serviceTtftMs: LatencySummary;
  /**
   * To the first output that is no reasoning, where some answers began with reasoning; `null`, or absent from older runs, where
   * none did: it is the TTFT then, or the engine does not tell the two apart.
   */
  readonly ttfotMs?: LatencySummary | null;
  readonly tpotMs: LatencySummary;
  /** Gaps between token events, per token, weighted by tokens. */
  readonly itlMs: LatencySummary;
  /** Gaps between events as a reader sees them. */
  readonly iclMs: LatencySummary;
  readonly e2eMs: LatencySummary;
  /** Longest gap of each request. */
  readonly stallMs: LatencySummary;
  readonly sendLagP99Ms: number | null;
  /** Percentiles of E2E with failed requests as never ending; `null`: at that percentile it fails. */
  readonly errorAdjustedE2eMs: { readonly p50: number | null; readonly p95: number | null };

  readonly inputTokens: TokenSummary;
  readonly outputTokens: TokenSummary;
  readonly cachedInputShare: number | null;
  /** Where counts came from, by number of requests. */
  readonly countedBy: Readonly<Record<string, number>>;

  readonly verdicts: readonly ObjectiveVerdict[];
  readonly saturated: boolean;
  /** What the saturation test saw, in words. */
  readonly saturatedBecause: readonly string[];
  readonly flags: readonly PointFlag[];
  readonly warnings: readonly string[];
  /** False when the generator, not the engine, was measured, or nothing was. */
  readonly valid: boolean;
  readonly invalidBecause: string | null;
  readonly generator: GeneratorReading;
  readonly series: readonly PointSecond[];
}

/** Lengths asked for and counted. `onTarget`: share of requests within the tolerance of what was asked. */
export interface TokenSummary {
  readonly nominal: number;
  readonly p50: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly onTarget: number | null;
}

/** Why a point ended. */
export type StopReason =
  /** Enough requests, and intervals narrow enough. */
  | "precise"
  /** Every objective it was to decide is decided. */
  | "decided"
  /** So close to an objective's limit that the time there is would not decide it. */
  | "hopeless"
  | "time"
  | "requests"
  | "over-saturated"
  | "errors"
  /** Latencies stopped moving (warm-up). */
  | "stable";
