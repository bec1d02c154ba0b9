import type { Pool } from "undici";
import type { Clock } from "../../engines/clock.ts";
import type { Engine, EngineName, EngineStats, Recognition } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import { type Connection, openConnection, socketOptions } from "./connection.ts";
import type { ProbeResult, ReplicaSpec, ReplicaState, ReplicaView } from "./fleet.ts";
import { BREAKER, type BreakerOptions } from "./health/breaker.ts";
import { Breakers } from "./health/breakers.ts";
import { HoldDown } from "./health/hold-down.ts";
import { type InFlight, ownInFlight } from "./in-flight.ts";
import { CONNECTIONS_MAX, Lanes } from "./wire/lanes.ts";

/** Failed probes in a row before a replica that does not refuse connections counts as down. */
const FAILED_PROBES_MAX = 3;
/** Takes on its share of requests over this long after it failed: cold caches and a full share would fell it again. */
const SLOW_START_MS = 15_000;
const SLOW_START_SHARE_MIN = 0.1;
/** How long a replica that said "not now" without saying when is avoided. */
const PUSHBACK_MS = 1_000;

/** What the proxy allows every replica; each has a default. */
export interface ReplicaLimits {
  readonly breaker?: Partial<BreakerOptions>;
  /** Requests of ours under way on one replica at most; more wait in the proxy's queue. */
  readonly inFlightMax?: number;
  /** Where our requests under way on it are counted; in this process alone unless given. */
  readonly inFlight?: InFlight;
}

/** One engine process behind one URL: its connections, what it is, and how it fares. */
export class Replica implements Connection {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  /** For questions of ours. */
  readonly pool: Pool;
  /** For requests of clients. */
  readonly lanes: Lanes;
  readonly inFlightMax: number;
  readonly breakers: Breakers;
  stats: EngineStats | null = null;
  statsAtMs: number | null = null;
  /** Reading of the last byte it sent us: a replica that streams is alive, whatever its health route says. */
  lastByteMs = 0;
  /** A sweep sends it requests past our counts: it is not idle, though none of ours may be there. */
  swept = false;
  readonly #inFlight: InFlight;
  readonly #holdDown: HoldDown;
  #recoveredAtMs: number | null = null;
  #releasedMs = 0;
  #pushedBackUntilMs = 0;
  #pushbackBinds = false;
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
  #models: readonly string[];

  constructor(
    id: string,
    url: string,
    clock: Clock,
    spec: Omit<ReplicaSpec, "url" | "name"> & ReplicaLimits = {},
  ) {
    this.id = id;
    this.url = url;
    this.weight = spec.weight ?? 1;
    this.labels = spec.labels ?? {};
    this.#engine = spec.engine ?? null;
    this.#model = spec.model ?? null;
    this.#models = this.#model === null ? [] : [this.#model];
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
    const { pool, headers } = openConnection(url, spec);
    this.pool = pool;
    this.lanes = new Lanes(url, clock, socketOptions(spec.tls));
    this.inFlightMax = spec.inFlightMax ?? CONNECTIONS_MAX;
    this.breakers = new Breakers(clock, { ...BREAKER, ...spec.breaker });
    this.#inFlight = spec.inFlight ?? ownInFlight();
    this.#holdDown = new HoldDown(clock);
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

  /** What it was found to be; `null` until it answered. */
  get recognition(): Recognition | null {
    return this.#recognition;
  }

  get recognised(): boolean {
    return this.#recognition !== null;
  }

  /** Models it serves; empty until it was recognised. */
  get models(): readonly string[] {
    return this.#models;
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Why it is in that state, in words. */
  get because(): string {
    return this.#because;
  }

  /** Takes new requests. */
  get available(): boolean {
    return this.#state === "up";
  }

  /** Requests of ours it is working on; charged when chosen, released when over. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** A request of ours was given to it. */
  charge(): void {
    this.#inFlight.add(1);
  }

  /** It is over. */
  release(): void {
    this.#inFlight.add(-1);
    this.#releasedMs = this.#clock.nowMs();
  }

  /** Since when none of our requests has been there; `null` while one is. */
  get idleSinceMs(): number | null {
    return this.inFlight > 0 || this.swept ? null : this.#releasedMs;
  }

  /** Another thread told when it last sent a byte, and that our requests are there now if any are. */
  heard(lastByteMs: number, nowMs: number): void {
    this.lastByteMs = Math.max(this.lastByteMs, lastByteMs);
    if (this.inFlight > 0) this.#releasedMs = nowMs;
  }

  /** As many of our requests under way as it may have. */
  get full(): boolean {
    return this.inFlight >= this.inFlightMax;
  }

  /** Share of its fair share it should get now: under 1 for a while after it failed. */
  get warmth(): number {
    if (this.#recoveredAtMs === null) return 1;
    const share = (this.#clock.nowMs() - this.#recoveredAtMs) / SLOW_START_MS;
    if (share >= 1) this.#recoveredAtMs = null;
    return Math.min(1, Math.max(SLOW_START_SHARE_MIN, share));
  }

  /** It failed and does not any more: begin with a small share. */
  recovered(): void {
    this.#recoveredAtMs = this.#clock.nowMs();
  }

  /** It asked to be left alone. Its own word binds; without one a second of avoidance is only a preference. */
  pushBack(retryAfterMs: number | null): void {
    this.#pushedBackUntilMs = this.#clock.nowMs() + (retryAfterMs ?? PUSHBACK_MS);
    this.#pushbackBinds = retryAfterMs !== null;
  }

  /** Ms it still wants to be left alone. */
  get pushbackMs(): number {
    if (this.#pushedBackUntilMs === 0) return 0;
    const leftMs = this.#pushedBackUntilMs - this.#clock.nowMs();
    if (leftMs <= 0) this.#pushedBackUntilMs = 0;
    return Math.max(0, leftMs);
  }

  /** Whether it named that time itself: then it gets nothing, even where nobody else is left. */
  get pushbackBinds(): boolean {
    return this.#pushbackBinds;
  }

  /** It went down a moment ago, and perhaps not for the first time: let it stand a while before it is used again. */
  get heldDown(): boolean {
    return this.#state === "down" && this.#holdDown.holds;
  }

  /** Lets what runs on it finish on its own, and asks it nothing more. */
  close(): void {
    this.lanes.close();
    void this.pool.close();
  }

  /** Cuts what runs on it. */
  async destroy(): Promise<void> {
    await Promise.all([this.lanes.destroy(), this.pool.destroy()]);
  }

  recognise(recognition: Recognition): void {
    this.#recognition = recognition;
    if (this.#model === null) this.#models = recognition.models.map((model) => model.id);
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
    if (state === "down") this.#holdDown.fell();
    if (state === "up") this.#holdDown.rose();
    if (state === "up" && this.#state === "down") this.recovered();
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
      breakerOpen: this.breakers.anyOpen,
      stats: this.stats,
      statsAtMs: this.statsAtMs,
      lastProbe: this.#lastProbe,
    };
  }
}
