import type { ArrivalName, StageName } from "../results/point.ts";
import type { Cohort } from "./cohort.ts";
import type { Objective } from "./objective.ts";
import type { Preset } from "./presets.ts";
import type { Workload } from "../prompts/workload.ts";

/** How hard a point presses. */
export type Load =
  | { readonly mode: "closed"; readonly concurrency: number }
  | {
      readonly mode: "open";
      readonly arrivals: Exclude<ArrivalName, "closed" | "trace" | "ramp">;
      readonly ratePerSecond: number;
      /** Coefficient of variation of the gaps; only gamma arrivals have a free one. */
      readonly cv: number;
    };

/** Everything a sweep is decided by, as JSON: kept in `run.json`, so that a resumed run goes on under the same rules. */
export interface SweepPlan {
  readonly preset: Preset;
  readonly seed: number;
  readonly workloads: readonly Workload[];
  readonly objectives: readonly Objective[];
  readonly arrivals: Exclude<ArrivalName, "closed" | "trace" | "ramp">;
  readonly cv: number;
  /** Fixed rates (requests/s) or concurrencies instead of those the sweep finds; empty for its own choice. */
  readonly rates: readonly number[];
  readonly concurrencies: readonly number[];
}

/** One point to hold: what to send, and when it has said enough. */
export interface PointTask {
  readonly pointId: string;
  readonly shape: string;
  readonly stage: StageName;
  readonly load: Load;
  readonly repeat: number;
  /** What an open loop begins with; `null`: it fills by itself. Users of a closed loop are of all ages anyhow. */
  readonly cohort: Cohort | null;
  readonly stop: StopRule;
}

/** When a point has said enough. */
export interface StopRule {
  readonly settleMsMin: number;
  readonly windowMsMin: number;
  /** The window ends here whatever is still open. */
  readonly windowMsMax: number;
  /** Requests in the window before it may end early. */
  readonly requests: number;
  /** Ends early only when rate and TPOT are known within this share of themselves. */
  readonly precision: number;
  /** Goes on, up to `windowMsMax`, until each of these is decided. */
  readonly decide: readonly Objective[];
  /** Ends as soon as latencies have stopped moving (warm-up). */
  readonly untilStable: boolean;
  /** Stays of a request the window must have lasted before a rate passes; `Infinity`: it never does. */
  readonly passStays: number;
  /** More than this many at once in an open loop, with throughput behind arrivals, and it is over-saturated. */
  readonly inFlightMax: number;
}
