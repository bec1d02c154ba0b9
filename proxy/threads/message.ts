import type { EngineStats, Recognition } from "../../engines/engine.ts";
import type { Exchange, InFlightView } from "../../engines/exchange.ts";
import type { ExchangeStart } from "../../engines/exchange-timer.ts";
import type { ListenAddress } from "../config/listen.ts";
import type { ClientLimits } from "../http/client-connections.ts";
import type { ForwardOptions } from "../http/forward-services.ts";
import type { ServeChange } from "../serve.ts";
import type { TracesOptions } from "../telemetry/traces.ts";
import type { FleetEvent, ReplicaSpec, ReplicaState } from "../upstream/fleet.ts";
import type { Judgement } from "../upstream/members.ts";

/** What a thread of the data path is born with. */
export interface ThreadSetup {
  /** Its row in the table of counts. */
  readonly row: number;
  readonly rows: number;
  readonly inFlight: SharedArrayBuffer;
  readonly listen: ListenAddress;
  readonly forward: ForwardOptions;
  readonly inFlightMax: number | null;
  readonly bodyBytesMax: number;
  readonly bodiesHeldBytesMax: number;
  readonly clients: ClientLimits;
  readonly trustedPeers: readonly string[];
  readonly traces: TracesOptions;
  readonly requestsUsage: boolean;
  /** Marks requests of our own sweeps. */
  readonly markToken: string;
  readonly shares: readonly ReplicaShare[];
}

/** One replica as the main thread knows it: whom to send to, and how it stands. */
export interface ReplicaShare {
  readonly id: string;
  readonly url: string;
  readonly spec: ReplicaSpec;
  /** Its column in the table of counts. */
  readonly column: number;
  readonly state: ReplicaState;
  readonly because: string;
  readonly recognition: Recognition | null;
  readonly stats: EngineStats | null;
  readonly statsAtMs: number | null;
}

/** A judgement on its way between threads: marks are each thread's own. */
export type Verdict = Omit<Judgement, "mark"> & { readonly replica: string };

export interface Pushback {
  readonly replica: string;
  readonly retryAfterMs: number | null;
}

/** From the main thread. */
export type Order =
  | { readonly kind: "replicas"; readonly shares: readonly ReplicaShare[] }
  | { readonly kind: "judged"; readonly verdict: Verdict }
  | { readonly kind: "pushed-back"; readonly pushback: Pushback }
  | { readonly kind: "change"; readonly change: ServeChange }
  | { readonly kind: "stop"; readonly graceMs: number };

/** To the main thread. */
export type Report =
  | { readonly kind: "listening"; readonly port: number; readonly url: string }
  | {
      readonly kind: "not-listening";
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: "began"; readonly starts: readonly ExchangeStart[] }
  | { readonly kind: "traffic"; readonly batch: TrafficBatch }
  | { readonly kind: "judged"; readonly verdict: Verdict }
  | { readonly kind: "pushed-back"; readonly pushback: Pushback }
  | { readonly kind: "unreachable"; readonly replica: string; readonly why: string }
  | { readonly kind: "event"; readonly event: FleetEvent }
  | { readonly kind: "stopped"; readonly cut: number };

/** What ended on a thread since its last batch, and how what is under way stands now. */
export interface TrafficBatch {
  readonly ended: readonly Exchange[];
  readonly views: readonly InFlightView[];
  /** Reading of the last byte of each replica that sent any: it lives, whatever its health route says. */
  readonly lastByteMs: readonly (readonly [replica: string, atMs: number])[];
}
