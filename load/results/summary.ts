import type { Point } from "./point.ts";

/** What a capacity search found. */
export type CapacityVerdict = "bounded" | "at-least" | "not-reachable" | "undecided";

/** The highest rate that meets an objective, as an interval. */
export interface Capacity {
  readonly objective: string;
  readonly verdict: CapacityVerdict;
  /** Highest rate shown to pass. */
  readonly passRatePerSecond: number | null;
  /** Lowest rate shown to fail. */
  readonly failRatePerSecond: number | null;
  /** The answer in words, with why where it is none. */
  readonly sentence: string;
}

/** One shape of a sweep: its points and what they say. */
export interface ShapeSummary {
  readonly shape: string;
  /** Why nothing was measured (too long for the model), or `null`. */
  readonly skippedBecause: string | null;
  readonly points: readonly Point[];
  readonly capacities: readonly Capacity[];
  /** Latency of one request alone: its medians. */
  readonly minimum: {
    readonly ttftMs: number | null;
    readonly tpotMs: number | null;
    readonly e2eMs: number | null;
  };
  /** Highest throughput of any level. */
  readonly maximum: {
    readonly requestsPerSecond: number;
    readonly outputTokensPerSecond: number;
    readonly concurrency: number | null;
  } | null;
  /** Repeated point against its first, as a ratio less one; `null` when not repeated. */
  readonly drift: {
    readonly ttft: number | null;
    /** Of TPOT, or of the whole stay where there is one token. */
    readonly tpot: number | null;
    readonly drifted: boolean;
  } | null;
}

/** What was measured. Unknown is `null`, never zero. */
export interface Subject {
  readonly target: string;
  readonly engine: string;
  readonly engineVersion: string | null;
  readonly model: string;
  readonly modelMaxTokens: number | null;
}

/** How the generator held up over the whole run. */
export interface GeneratorSummary {
  readonly sendLagP99Ms: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly cpuShare: number | null;
  readonly eventsPerSecondMax: number;
  /** What this machine's loopback carried before the run; points above half of it are invalid. */
  readonly ceilingEventsPerSecond: number | null;
  readonly workers: number;
}

/** The document of `pitot sweep --json`, kept as `summary.json`. */
export interface SweepSummary {
  readonly schemaVersion: 1;
  readonly runId: string;
  readonly valid: boolean;
  readonly invalidBecause: string | null;
  readonly interrupted: boolean;
  readonly headline: string;
  readonly preset: string;
  readonly seed: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly subject: Subject;
  /** How prompts of exact length were made: `token-ids`, `calibrated-text`, `estimated-text`, … */
  readonly prompts: string;
  readonly shapes: readonly ShapeSummary[];
  readonly generator: GeneratorSummary;
  readonly requests: number;
}
