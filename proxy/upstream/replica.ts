import { Pool } from "undici";
import type { Clock } from "../../engines/clock.ts";
import type { Engine, EngineStats, Recognition } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import type { ProbeResult, ReplicaState, ReplicaView } from "./fleet.ts";

/** Connections to one replica at most: above an engine's batch more would only wait inside it. */
const CONNECTIONS_MAX = 1024;
/** All four engines close idle connections after 5 s; ours must be the first to let go. */
const KEEP_ALIVE_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** Failed probes in a row before a replica that does not refuse connections counts as down. */
const FAILED_PROBES_MAX = 3;

/** One engine process behind one URL: its connections, what it is, and how it fares. */
export class Replica {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
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

  constructor(id: string, url: string, clock: Clock) {
    this.id = id;
    this.url = url;
    this.weight = 1;
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
    this.pool = new Pool(url, {
      connections: CONNECTIONS_MAX,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Deadlines are ours: undici's would cut a long prefill at five minutes.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  /** The dialect it speaks; the fallback until it was recognised. */
  get engine(): Engine {
    return engines[this.#recognition?.engine ?? "openai"];
  }

  get recognised(): boolean {
    return this.#recognition !== null;
  }

  /** Models it serves; empty until it was recognised. */
  get models(): readonly string[] {
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
      engine: this.#recognition?.engine ?? null,
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
