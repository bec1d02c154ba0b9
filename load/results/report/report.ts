import type { Comparison } from "../compare.ts";
import type { SweepSummary } from "../summary.ts";
import type { ThresholdResult } from "../thresholds.ts";

/** What reports are written from: readers of finished documents, none of them measures anything. */
export interface ReportInput {
  readonly summary: SweepSummary;
  /** Verdicts of `--fail-if`; empty without any. */
  readonly thresholds: readonly ThresholdResult[];
  /** Against the run of `--baseline`; `null` without one. */
  readonly comparison: Comparison | null;
  /** The command that gives this run again. */
  readonly command: string;
}

/** One file of a run's results. */
export interface Report {
  /** What users write in `--formats`. */
  readonly name: string;
  readonly file: string;
  write(input: ReportInput): string | Uint8Array;
}
