import type { EngineName, EngineStats } from "../../engines/engine.ts";
import type { ConnectionOptions } from "./connection.ts";

/** The replicas as the admin API, the board and the sweep service see them. */
export interface Fleet {
  views(): readonly ReplicaView[];
  /** @throws {FleetError} when the URL is unusable or already a member. */
  add(replica: string | ReplicaSpec): ReplicaView;
  /** Stops routing to it, lets its streams finish, then forgets it. @throws {FleetError} when unknown. */
  remove(id: string): void;
  /** Takes no new requests, finishes its own. @throws {FleetError} when unknown. */
  drain(id: string): void;
  /** Back into routing. @throws {FleetError} when unknown. */
  undrain(id: string): void;
  /** Out at once: its streams are cut. @throws {FleetError} when unknown. */
  disable(id: string): void;
}

/** A replica as configuration describes it. Only the URL is needed. */
export interface ReplicaSpec extends ConnectionOptions {
  readonly url: string;
  /** Host and port unless given. */
  readonly name?: string;
  /** Recognised by itself unless given. */
  readonly engine?: EngineName;
  /** Served under this name alone; what the engine lists unless given. */
  readonly model?: string;
  /** Its share of the load relative to the others; 1 unless given. */
  readonly weight?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** `starting`: not yet reached. `up`: takes requests. The last two are an operator's wish. */
export type ReplicaState = "starting" | "up" | "down" | "draining" | "disabled";

export interface ReplicaView {
  /** Stable and readable: `vllm-0`, or the host and port where the engine is not known yet. */
  readonly id: string;
  readonly url: string;
  readonly engine: EngineName | null;
  readonly version: string | null;
  readonly models: readonly string[];
  readonly state: ReplicaState;
  /** Why it is in that state, in words: "connect refused 3 times since 14:02:11". */
  readonly because: string;
  /** In this state since ({@link Clock.nowMs}). */
  readonly sinceMs: number;
  readonly weight: number;
  /** Requests of ours it is working on. */
  readonly inFlight: number;
  readonly breakerOpen: boolean;
  /** What the engine says of itself; `null` until it did. */
  readonly stats: EngineStats | null;
  readonly statsAtMs: number | null;
  readonly lastProbe: ProbeResult | null;
}

export interface ProbeResult {
  readonly atMs: number;
  readonly ok: boolean;
  readonly status: number | null;
  readonly durationMs: number;
  /** One sentence when it failed. */
  readonly message: string;
}

/** Something that happened to the fleet, for the events lane and the log. */
export interface FleetEvent {
  readonly atMs: number;
  readonly kind: FleetEventKind;
  /** Replica id, sweep id, file …: what it happened to. */
  readonly subject: string;
  readonly message: string;
  /** Tokens it concerns: of a `zombie`, those generated for nobody. */
  readonly tokens?: number;
}

export type FleetEventKind =
  | "replica-added"
  | "replica-removed"
  | "replica-up"
  | "replica-down"
  | "replica-draining"
  | "replica-disabled"
  | "breaker-open"
  | "breaker-closed"
  | "config-reloaded"
  | "config-rejected"
  | "sweep-started"
  | "sweep-ended"
  | "alert-fired"
  | "alert-cleared"
  | "draining"
  | "deploy"
  | "history"
  | "webhook-failed"
  | "zombie"
  /** Something nobody expected: a bug worth reporting. */
  | "internal-error";

/** A wish the fleet cannot fulfil; `code` is a row of the error table. */
export class FleetError extends Error {
  override readonly name = "FleetError";
  readonly code: "not_found" | "invalid_replica" | "conflict";

  constructor(code: FleetError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
