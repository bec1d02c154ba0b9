import type { Exchange } from "../../engines/exchange.ts";
import type { ExchangeStart } from "../../engines/exchange-timer.ts";
import type { WorkerSetup } from "../../load/generator/worker-messages.ts";
import type { Subject, SweepSummary } from "../../load/results/summary.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import type { OverallDifference, PathDifference } from "./sweep-view.ts";

/** One way to the replica, as plain data: a thread opens it again. */
export interface PathSetup extends WorkerSetup {
  /** Header that carries the label of each request; on the way through the proxy alone. */
  readonly labelHeader?: string;
}

/** What the thread of one sweep is born with. Holds the replica's keys: for threads of this process alone. */
export interface SweepSetup {
  readonly runId: string;
  /** Data directory for the run's folder; `null` keeps nothing on disk. */
  readonly root: string | null;
  readonly release: string;
  readonly plan: SweepPlan;
  readonly subject: Subject;
  /** The engine's own routes answer, its tokenizer among them. */
  readonly ownRoutes: boolean;
  readonly direct: PathSetup;
  readonly routed: PathSetup | null;
  /** Whether every other request goes straight: `both`. */
  readonly paired: boolean;
  readonly tokensMax: number;
  readonly inFlightMax: number;
}

/** To the thread. */
export interface ToSweep {
  readonly kind: "stop";
}

/** From the thread. */
export type FromSweep =
  | { readonly kind: "event"; readonly event: SweepEvent }
  /** What the pairs of a point, just finished, say; and the light points together. */
  | {
      readonly kind: "difference";
      readonly pointId: string;
      readonly point: PathDifference | null;
      readonly overall: OverallDifference | null;
    }
  | { readonly kind: "traffic"; readonly batch: SyntheticBatch }
  /** A cap of the sweep was reached; it stops itself. */
  | { readonly kind: "capped"; readonly why: string }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "done"; readonly summary: SweepSummary | null };

/** What happened to synthetic requests since the last batch. */
export interface SyntheticBatch {
  readonly began: readonly ExchangeStart[];
  /** Those sent straight: the data path records its own. */
  readonly ended: readonly Exchange[];
  /** On both ways. */
  readonly requests: number;
  readonly tokens: number;
  readonly inFlight: number;
}
