import type { PointTask, SweepPlan } from "../../load/sweep/plan.ts";
import type { PointProgress } from "../../load/sweep/events.ts";
import type { Point } from "../../load/results/point.ts";
import type { Capacity, ShapeSummary, Subject, SweepSummary } from "../../load/results/summary.ts";

/** Which way synthetic requests take: straight to the replica, through the proxy's own door, or alternately both. */
export type SweepPath = "direct" | "routed" | "both";

/** Whether the replica serves users meanwhile. */
export type SweepTraffic = "drained" | "beside";

/**
 * `preparing` prompts and threads, `draining` the replica of users, `running` points, `stopping` once it was told to; then
 * `done` to the end of its plan, `stopped` before (by somebody, a guard or a limit), or `failed`; `interrupted` when the proxy
 * was killed under it.
 */
export type SweepState =
  | "preparing"
  | "draining"
  | "running"
  | "stopping"
  | "done"
  | "stopped"
  | "failed"
  | "interrupted";

/** What a sweep may take at most. */
export interface SweepLimits {
  /** Of the requests the replica may have under way, 0 to 1: the part that may be synthetic. */
  readonly share: number;
  /** Input and output tokens of all synthetic requests together. */
  readonly tokens: number;
  readonly minutes: number;
}

/** When users come first: beyond any of these the synthetic sockets are closed and the sweep ends. */
export interface SweepGuards {
  /** Of real requests on the replica over the last seconds. */
  readonly ttftP95Ms: number;
  /** Of any promise, over the last minutes; 1 spends its budget in exactly its period. */
  readonly burnRate: number;
  /** Real requests under way on the replica. */
  readonly inFlight: number;
}

/** Body of `POST /api/v1/sweeps`. Everything but the replica has a default. */
export interface SweepRequest {
  readonly replica: string;
  /** The replica's first when left out. */
  readonly model?: string;
  /** `1024x128`, lists such as `almanac-9`, or `my-traffic`: fitted from real requests. `1024x128` when left out. */
  readonly shapes?: readonly string[];
  /** What `my-traffic` stands for: a trace fitted elsewhere, in place of the requests this proxy remembers. */
  readonly fit?: Pick<TrafficFit, "parts" | "cachedShare" | "arrivalCv">;
  /** `quick` when left out. */
  readonly preset?: string;
  /** Such as `ttft_p95<=1s`. */
  readonly objectives?: readonly string[];
  /** `both` when left out. */
  readonly path?: SweepPath;
  /** `drained` when left out. */
  readonly traffic?: SweepTraffic;
  readonly limits?: Partial<SweepLimits>;
  readonly guards?: Partial<SweepGuards>;
  readonly seed?: number;
  /** "I mean it": wanted when users are on the replica and the sweep runs beside them. */
  readonly confirm?: boolean;
  /** Even though no other replica could take the users. */
  readonly force?: boolean;
  /** The sweep ends unless it is asked about at least this often; never by itself when left out. */
  readonly leaseSeconds?: number;
}

/** One sweep in `GET /api/v1/sweeps` and, while it runs, in `GET /api/v1/state`. */
export interface SweepRow {
  /** Also the name of its run folder. */
  readonly id: string;
  readonly state: SweepState;
  /** Why it is in that state, in words: `stopped by guard: …`. */
  readonly because: string;
  readonly replica: string;
  readonly model: string;
  readonly shapes: readonly string[];
  readonly preset: string;
  readonly path: SweepPath;
  readonly traffic: SweepTraffic;
  readonly startedMs: number;
  /** `null` while it runs. */
  readonly endedMs: number | null;
  /** What was estimated at the start, and what is left as refined by the points so far. */
  readonly estimateMs: number;
  readonly remainingMs: number | null;
  readonly points: number;
  /** Synthetic requests that ended, and their tokens. */
  readonly requests: number;
  readonly tokens: number;
  /** The answer in a sentence; `null` before there is one. */
  readonly headline: string | null;
}

/** `GET /api/v1/sweeps/:id`. */
export interface SweepView extends SweepRow {
  /** What was asked, as the body that asks it again, and the same as a command line. */
  readonly request: SweepRequest;
  readonly command: string;
  readonly limits: SweepLimits;
  /** `null` on a drained replica. */
  readonly guards: SweepGuards | null;
  /** The last reading of what the guards watch; `null` before the first, and on a drained replica. */
  readonly guard: GuardReading | null;
  /** `null` until it was made. */
  readonly plan: SweepPlan | null;
  readonly subject: Subject | null;
  /** What the point under way holds, and how it stands; `null` between points, and before it says anything. */
  readonly task: PointTask | null;
  readonly progress: PointProgress | null;
  /** Finished points, oldest first, warm-up included. */
  readonly finished: readonly SweepPoint[];
  readonly capacities: readonly (Capacity & { readonly shape: string })[];
  /** Shapes that are done. */
  readonly shapeSummaries: readonly ShapeSummary[];
  /** Routed minus direct at light load; `null` unless both paths were taken and enough pairs ended. */
  readonly difference: OverallDifference | null;
  readonly warnings: readonly string[];
  /** Where its run folder lies; `null` when the proxy keeps nothing on disk. */
  readonly directory: string | null;
  /** What went wrong, when it failed. */
  readonly error: string | null;
  /** The document of `pitot sweep --json`, once it has ended. */
  readonly summary: SweepSummary | null;
}

/** A finished point and what was going on beside it. */
export interface SweepPoint {
  readonly point: Point;
  /** Real requests on the same replica meanwhile. */
  readonly coTraffic: CoTraffic;
  /** Routed minus direct at this point. */
  readonly difference: PathDifference | null;
}

export interface CoTraffic {
  readonly requestsPerSecond: number;
  readonly inputTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  readonly inFlightMean: number;
  readonly ttftP95Ms: number | null;
  readonly n: number;
}

/**
 * What the way through the proxy adds: routed minus direct. Requests go out in pairs, one each way in random order, so both
 * meet the same engine in the same state and drift cancels.
 */
export interface PathDifference {
  readonly ttftMs: Difference | null;
  readonly tpotMs: Difference | null;
  readonly e2eMs: Difference | null;
}

/** What the proxy adds while it is not pressed: the points that agree, from the lightest on, as one. */
export interface OverallDifference extends PathDifference {
  /** The points it is of, lightest first. */
  readonly points: readonly string[];
  /** Heavier ones, from the first on at which it adds more: each has its own difference. */
  readonly dearer: readonly string[];
}

/** Median of the differences within pairs, with its 95 % interval from order statistics. */
export interface Difference {
  readonly median: number;
  readonly low: number;
  /** `null` when the pairs do not bound it. */
  readonly high: number | null;
  readonly pairs: number;
  /** The medians of each path alone. */
  readonly direct: number;
  readonly routed: number;
}

/** What the guards saw last. */
export interface GuardReading {
  readonly atMs: number;
  /** Over the last {@link windowMs}; requests still waiting for a first token count with the time they have waited. */
  readonly ttftP95Ms: number | null;
  readonly n: number;
  /** Of {@link n}, those beyond the guard. */
  readonly over: number;
  readonly windowMs: number;
  readonly burnRate: number | null;
  readonly inFlight: number;
  readonly synthetic: number;
  readonly syntheticMax: number;
}

/** `GET /api/v1/sweeps/fit`: real traffic as a workload. */
export interface TrafficFit {
  readonly requests: number;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly ratePerSecond: number | null;
  /** Coefficient of variation of the gaps between arrivals: 1 is Poisson, more is burstier. */
  readonly arrivalCv: number | null;
  readonly cachedShare: number | null;
  readonly parts: readonly {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly weight: number;
  }[];
  /** `my-traffic` of a sweep as a plan's workload; `null` with too few requests. */
  readonly workload: SweepPlan["workloads"][number] | null;
  readonly arrivals: SweepPlan["arrivals"];
  /** What is left out or uncertain, in words. */
  readonly notes: readonly string[];
}

/** `GET /api/v1/sweeps`. */
export interface SweepList {
  /** Newest first. */
  readonly sweeps: readonly SweepRow[];
  readonly runningMax: number;
}
