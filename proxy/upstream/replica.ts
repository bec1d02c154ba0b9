import type { Pool } from "undici";
import type { Clock } from "../../engines/clock.ts";
import type { Engine, EngineName, EngineStats, Recognition } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { ProbeResult, ReplicaSpec, ReplicaState, ReplicaView } from "./fleet.ts";

/** Failed probes in a row before a replica that does not refuse connections counts as down. */
const FAILED_PROBES_MAX = 3;

/** One engine process behind one URL: its connections, what it is, and how it fares. */
export class Replica implements Connection {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly pool: Pool;
  /** Requests of ours it is working on; charged when chosen, released when over. */
  inFlight = 0;
  stats: EngineStats | null = null;
  statsAtMs: number | null = null;
  /** Reading of the last byte it sent us: a replica that streams is alive, whatever its health route says. */
  lastByteMs = 0;
  #recognition: Recognition | null = null;
  #state: ReplicaState = "starting";
  #because = "not yet reached";
  #sinceMs: number;
  #failedProbes = 0;
  #lastProbe: ProbeResult | null = null;
  readonly #clock: Clock;
  readonly #headers: readonly string[];
  readonly #engine: EngineName | null;
  readonly #model: string | null;

  constructor(id: string, url: string, clock: Clock, spec: Omit<ReplicaSpec, "url" | "name"> = {}) {
    this.id = id;
    this.url = url;
    this.weight = spec.weight ?? 1;
    this.labels = spec.labels ?? {};
    this.#engine = spec.engine ?? null;
    this.#model = spec.model ?? null;
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
    const { pool, headers } = openConnection(url, spec);
    this.pool = pool;
    this.#headers = headers;
  }

  /** What this engine alone is told with every request: keys, mostly. Private, so that no printed replica shows them. */
  get headers(): readonly string[] {
    return this.#headers;
  }

  /** The dialect it speaks; the fallback until it was told or recognised. */
  get engine(): Engine {
    return engines[this.#engine ?? this.#recognition?.engine ?? "openai"];
  }

  get recognised(): boolean {
    return this.#recognition !== null;
  }

  /** Models it serves; empty until it was recognised. */
  get models(): readonly string[] {
    if (this.#model !== null) return [this.#model];
    return this.#recognition?.models.map((model) => model.id) ?? [];
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Takes new requests. */
  get available(): boolean {
    return this.#state === "up";
  }

  recognise(recognition: Recognition): void {
    this.#recognition = recognition;
  }

  /** A probe answered or did not. Returns true when that changed the state. */
  probed(result: ProbeResult): boolean {
    this.#lastProbe = result;
    if (result.ok) {
      this.#failedProbes = 0;
      return this.#state === "starting" || this.#state === "down"
        ? this.enter("up", "answers its health probe")
        : false;
    }
    this.#failedProbes++;
    const refused = result.status === null && result.message.includes("refused");
    const enough = refused || this.#failedProbes >= FAILED_PROBES_MAX || this.#state === "starting";
    return enough && (this.#state === "up" || this.#state === "starting")
      ? this.enter("down", result.message)
      : false;
  }

  /** Moves to a state and remembers why. Returns true when it was in another. */
  enter(state: ReplicaState, because: string): boolean {
    this.#because = because;
    if (this.#state === state) return false;
    this.#state = state;
    this.#sinceMs = this.#clock.nowMs();
    return true;
  }

  view(): ReplicaView {
    return {
      id: this.id,
      url: this.url,
      engine: this.#engine ?? this.#recognition?.engine ?? null,
      version: this.#recognition?.version ?? null,
      models: this.models,
      state: this.#state,
      because: this.#because,
      sinceMs: this.#sinceMs,
      weight: this.weight,
      inFlight: this.inFlight,
      breakerOpen: false,
      stats: this.stats,
      statsAtMs: this.statsAtMs,
      lastProbe: this.#lastProbe,
    };
  }
}
