import type { SweepPlan } from "../sweep/plan.ts";
import type { Subject } from "./summary.ts";

export type RunState = "running" | "done" | "interrupted" | "failed";

/** The machine the load came from. */
export interface Environment {
  readonly runtime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly workers: number;
  readonly ceilingEventsPerSecond: number | null;
}

/** What a run is, in `run.json`: with `points.jsonl` it is all that is needed to go on with it. */
export interface RunManifest {
  readonly runId: string;
  readonly schemaVersion: 1;
  readonly toolVersion: string;
  readonly state: RunState;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly plan: SweepPlan;
  readonly subject: Subject;
  readonly prompts: string;
  readonly environment: Environment;
  readonly estimateMs: number;
  /** Each later process that went on with it, and the points it found. */
  readonly resumed: readonly {
    readonly at: string;
    readonly pid: number;
    readonly points: number;
  }[];
}

/** An id that sorts by time: `20261124T165501-3f2a`. */
export function newRunId(at: Date, random: number): string {
  const stamp = at.toISOString().replaceAll(/[-:]|\.\d+Z$/g, "");
  return `${stamp}-${Math.floor(random * 65_536)
    .toString(16)
    .padStart(4, "0")}`;
}
