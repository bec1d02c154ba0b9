import { compareRuns, type Comparison } from "./compare.ts";
import type { SweepSummary } from "./summary.ts";
import { judge, type Threshold, type ThresholdResult } from "./thresholds.ts";

/** A run's document with the verdicts that were asked for: what `--json` prints and `summary.json` keeps. */
export interface JudgedSummary extends SweepSummary {
  /** Of `--fail-if`; empty without any. */
  readonly thresholds: readonly ThresholdResult[];
  /** Against the run of `--baseline`; `null` without one. */
  readonly comparison: Comparison | null;
}

/** What a run is held against. */
export interface Judgement {
  readonly thresholds: readonly Threshold[];
  readonly baseline: SweepSummary | null;
}

/** Holds a run against its conditions and its baseline. */
export function judgeRun(summary: SweepSummary, by: Judgement): JudgedSummary {
  const { thresholds, baseline } = by;
  return {
    ...summary,
    thresholds: thresholds.map((threshold) => judge(threshold, summary, baseline)),
    comparison: baseline === null ? null : compareRuns(baseline, summary),
  };
}
