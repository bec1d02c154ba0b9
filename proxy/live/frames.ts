import type { Origin, OutcomeKind, Phase } from "../../engines/exchange.ts";
import type { ErrorKind } from "../telemetry/error-kind.ts";
import type { SloView } from "../telemetry/slo/slo-view.ts";
import type { SweepRow } from "../synthetic/sweep-view.ts";
import type { FleetEvent, ReplicaView } from "../upstream/fleet.ts";

/** Raised when a viewer of the old shape would misread the new one; the board reloads on a mismatch. */
export const FRAME_VERSION = 2;

/**
 * One message to a viewer. A snapshot on connect, then one tick a second; a slow viewer misses ticks, never delays them.
 * A viewer that comes back within {@link RESUME_FRAMES} seconds may resume: `?boot=<bootId>&after=<sequence>` on the live
 * address is answered with the ticks it missed instead of a snapshot. `?encoding=deflate-raw` makes frames small.
 */
export type Frame = SnapshotFrame | TickFrame;

/** Frames kept for viewers that lost their connection: two minutes. */
export const RESUME_FRAMES = 120;

export interface SnapshotFrame {
  readonly kind: "snapshot";
  readonly version: typeof FRAME_VERSION;
  /** Pitot's own version: the board reloads itself when it changes. */
  readonly release: string;
  /** Changes with every start of the proxy. */
  readonly bootId: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly sequence: number;
  readonly tickMs: number;
  /** Ratio between neighbouring bin borders of {@link Bins}: bin i holds values in (γ^(i−1), γ^i] ms. */
  readonly gamma: number;
  /** Where clients connect. */
  readonly dataUrl: string;
  readonly mayWrite: boolean;
  /** What the goodput counters of {@link TrafficCell} are held against. */
  readonly goodput: { readonly ttftMs: number; readonly tpotMs: number };
  readonly replicas: readonly ReplicaView[];
  /** Up to 900 past ticks, oldest first: the last 15 minutes. Wide fleets get `byReplica` on the newest ones only. */
  readonly history: readonly Tick[];
  readonly inFlight: readonly InFlightRow[];
  readonly inFlightTotal: number;
  /** The most recently ended, newest first. */
  readonly ended: readonly EndedRow[];
  readonly events: readonly FleetEvent[];
  /** Worst budget first. */
  readonly slos: readonly SloView[];
  /** Sweeps under way; absent without any. */
  readonly sweeps?: readonly SweepRow[];
}

export interface TickFrame {
  readonly kind: "tick";
  readonly sequence: number;
  readonly nowMs: number;
  readonly tick: Tick;
  /** Ticks this viewer was too slow for, oldest first; from the server's ring, so no second is lost. */
  readonly missed: readonly Tick[];
  /** Fields of replicas that changed since the last frame, each with its id; absent ids and fields are unchanged. */
  readonly replicas: readonly ReplicaPatch[];
  /** Ids gone since the last frame. */
  readonly removed: readonly string[];
  /** The oldest under way, whole each time. */
  readonly inFlight: readonly InFlightRow[];
  readonly inFlightTotal: number;
  /** Ended since the last frame, newest first, at most {@link ENDED_ROWS_MAX}. */
  readonly ended: readonly EndedRow[];
  readonly events: readonly FleetEvent[];
  /** All of them when one has been judged anew, else absent. */
  readonly slos?: readonly SloView[];
  /** Sweeps under way, whole each time; absent without any. */
  readonly sweeps?: readonly SweepRow[];
}

/** A replica's changed fields; one that is new comes whole. */
export type ReplicaPatch = { readonly id: string } & Partial<ReplicaView>;

/** Rows of each list in one frame; the REST list holds the rest. */
export const IN_FLIGHT_ROWS_MAX = 25;
export const ENDED_ROWS_MAX = 15;
/** Ended rows in a snapshot. */
export const SNAPSHOT_ENDED_ROWS_MAX = 100;

/** One second of the fleet, real and synthetic apart. */
export interface Tick {
  /** Start of the second, a whole one. */
  readonly atMs: number;
  readonly real: TrafficCell;
  readonly synthetic: TrafficCell;
  /** The same second by replica; replicas, and populations of one, without traffic are absent. */
  readonly byReplica: Readonly<
    Record<string, { readonly real?: TrafficCell; readonly synthetic?: TrafficCell }>
  >;
}

/** What ended, and what flowed, in one second of one population. */
export interface TrafficCell {
  readonly started: number;
  /** Ended, by outcome; outcomes that did not occur are absent. */
  readonly ended: Partial<Readonly<Record<OutcomeKind, number>>>;
  readonly inputTokens: number;
  /** Output tokens by the second they were produced in, unfinished requests included. */
  readonly outputTokens: number;
  /** At the end of the second. */
  readonly inFlight: number;
  /** Of requests whose first token came in this second. */
  readonly ttft: Bins;
  /** Of requests that ended in this second. */
  readonly tpot: Bins;
  /** Completed requests by the promise they broke; absent when none completed. */
  readonly goodput?: Goodput;
  /** Failed and cut requests by kind; absent when there were none. */
  readonly errors?: Partial<Readonly<Record<ErrorKind, number>>>;
  /** Gaps per token of requests that ended in this second; in totals only. */
  readonly itl?: Bins;
  /** Of completed requests; in totals only. */
  readonly e2e?: Bins;
}

/** Completed requests that met both targets, and those that missed one or both. */
export interface Goodput {
  readonly good: number;
  readonly slowTtft: number;
  readonly slowTpot: number;
  readonly slowBoth: number;
}

/** Sparse sketch: `[bin, count, bin, count, …]`, bins ascending. Merging is adding counts. */
export type Bins = readonly number[];

export interface InFlightRow {
  readonly id: string;
  readonly origin: Origin;
  readonly model: string;
  readonly replica: string | null;
  /** Name of the client's key, or `null`. */
  readonly client: string | null;
  /** `stalled` once no output came for {@link STALLED_AFTER_MS} during decode. */
  readonly phase: Phase | "stalled";
  readonly ageMs: number;
  readonly outputEvents: number;
  /** Output events a second since the first; `null` before there are two. */
  readonly eventsPerSecond: number | null;
  readonly ttftMs: number | null;
  readonly attempts: number;
}

export const STALLED_AFTER_MS = 1_000;

export interface EndedRow {
  readonly id: string;
  readonly origin: Origin;
  readonly model: string;
  readonly replica: string | null;
  /** Name of the client's key, or `null`. */
  readonly client: string | null;
  readonly startedMs: number;
  readonly outcome: OutcomeKind;
  /** Error code, finish reason, or the phase it was cancelled in. */
  readonly detail: string | null;
  readonly status: number | null;
  readonly inputTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly outputTokens: number | null;
  readonly countedBy: string;
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
  readonly e2eMs: number;
  readonly attempts: number;
  /** Hex id of the trace it belongs to, for a link; `null` without one. */
  readonly traceId: string | null;
}
