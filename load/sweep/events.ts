import type { Capacity, ShapeSummary, Subject, SweepSummary } from "../results/summary.ts";
import type { Point } from "../results/point.ts";
import type { PointTask, SweepPlan } from "./plan.ts";

/**
 * Everything a sweep says while it runs, in order. The terminal view, `--jsonl`, the run folder's `events.jsonl`, the
 * API and every report are readers of this one stream and of {@link SweepSummary}; none of them measures anything.
 * `atMs` is a clock reading.
 */
export type SweepEvent =
  | {
      readonly kind: "planned";
      readonly atMs: number;
      readonly runId: string;
      readonly directory: string | null;
      readonly plan: SweepPlan;
      readonly subject: Subject;
      /** Time it will take, from the preset alone. */
      readonly estimateMs: number;
      /** Points of an earlier part of the run that are kept. */
      readonly resumedPoints: number;
    }
  | {
      readonly kind: "shape-started";
      readonly atMs: number;
      readonly shape: string;
      readonly index: number;
      readonly of: number;
    }
  | {
      readonly kind: "point-started";
      readonly atMs: number;
      readonly task: PointTask;
      readonly remainingMs: number;
    }
  | ({ readonly kind: "progress"; readonly atMs: number } & PointProgress)
  | {
      readonly kind: "point-finished";
      readonly atMs: number;
      readonly point: Point;
      /** Refined with what this point showed. */
      readonly remainingMs: number;
    }
  | {
      readonly kind: "capacity";
      readonly atMs: number;
      readonly shape: string;
      readonly capacity: Capacity;
    }
  | { readonly kind: "shape-finished"; readonly atMs: number; readonly shape: ShapeSummary }
  | {
      readonly kind: "note";
      readonly atMs: number;
      readonly level: "info" | "warning";
      readonly message: string;
    }
  | { readonly kind: "ended"; readonly atMs: number; readonly summary: SweepSummary };

/** The point under way, once a second. */
export interface PointProgress {
  readonly pointId: string;
  readonly phase: "settling" | "measuring" | "draining";
  readonly elapsedMs: number;
  readonly sent: number;
  /** Ended requests planned in the window. */
  readonly measured: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Of the most recent answers; `null` without any. */
  readonly ttftP50Ms: number | null;
  readonly tpotP50Ms: number | null;
  readonly outputTokensPerSecond: number;
  readonly sendLagMaxMs: number;
  readonly loopDelayP99Ms: number | null;
  readonly cpuShare: number | null;
}

/** Told of every event. Synchronous; must not throw. */
export type SweepListener = (event: SweepEvent) => void;
