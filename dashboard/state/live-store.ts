import type {
  EndedRow,
  Frame,
  InFlightRow,
  SnapshotFrame,
  Tick,
  TickFrame,
  TrafficCell,
} from "../../proxy/live/frames.ts";
import type { SloView } from "../../proxy/telemetry/slo/slo-view.ts";
import type { FleetEvent, ReplicaView } from "../../proxy/upstream/fleet.ts";
import { Distribution } from "./bins.ts";
import { Rolling } from "./rolling.ts";

/** Seconds the board remembers. */
const TICKS_MAX = 900;
/** Seconds the figures of replicas and of the strip are over. */
export const LATELY_S = 300;
const ENDED_MAX = 200;
const EVENTS_MAX = 100;
/** Waits between attempts to reconnect: quick at first, then patient. */
const RECONNECT_MS = [250, 500, 1000, 2000, 4000] as const;
/** Without a frame for this long the figures are no longer "now". */
const STALE_AFTER_MS = 3_000;

export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "stale"; readonly sinceMs: number }
  | { readonly kind: "disconnected"; readonly sinceMs: number }
  | { readonly kind: "recording"; readonly name: string };

export type Population = "real" | "synthetic";

/** Everything the board knows, fed by frames. Panels listen to `change`. */
export class LiveStore extends EventTarget {
  connection: Connection = { kind: "connecting" };
  gamma = 1.02;
  tickMs = 1000;
  nowMs = 0;
  dataUrl = "";
  release = "";
  ticks: readonly Tick[] = [];
  /** The last five minutes of real traffic, added up. */
  readonly lately = new Rolling(LATELY_S);
  replicas: ReadonlyMap<string, ReplicaView> = new Map();
  inFlight: readonly InFlightRow[] = [];
  inFlightTotal = 0;
  ended: readonly EndedRow[] = [];
  events: readonly FleetEvent[] = [];
  slos: readonly SloView[] = [];
  goodput = { ttftMs: 1_000, tpotMs: 100 };
  mayWrite = false;
  /** Charts stand still at this moment; `null` while they move. Frames are still taken in. */
  pausedAtMs: number | null = null;
  #socket: WebSocket | null = null;
  /** What the last frame was, so that a lost connection is taken up where it broke. */
  #bootId = "";
  #sequence = 0;
  /** Frames are inflated one after the other: they must be taken in order. */
  #taken: Promise<void> = Promise.resolve();
  #failures = 0;
  #lastFrameAt = 0;
  #stopped = false;
  #watch: ReturnType<typeof setInterval> | null = null;

  /** Connects, and keeps reconnecting until stopped. */
  start(): void {
    this.#connect();
    this.#watch = setInterval(() => {
      const quiet = Date.now() - this.#lastFrameAt;
      if (this.connection.kind === "live" && quiet > STALE_AFTER_MS) {
        this.#enter({ kind: "stale", sinceMs: this.#lastFrameAt });
      }
    }, 1000);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#socket?.close();
  }

  togglePause(): void {
    this.pausedAtMs = this.pausedAtMs === null ? this.nowMs : null;
    this.dispatchEvent(new Event("change"));
  }

  /** The seconds charts show: all of them, or those up to the pause. */
  get shownTicks(): readonly Tick[] {
    const { pausedAtMs, ticks } = this;
    return pausedAtMs === null ? ticks : ticks.filter(({ atMs }) => atMs < pausedAtMs);
  }

  /** True when frames come from a file instead of a proxy. */
  get isRecording(): boolean {
    return this.connection.kind === "recording";
  }

  /** True while the figures may be read as "now". */
  get isLive(): boolean {
    return this.connection.kind === "live" || this.isRecording;
  }

  /** Cells of one population over the last `seconds`, of the fleet or of one replica. */
  cells(population: Population, seconds: number, replica?: string): TrafficCell[] {
    const ticks = this.ticks.slice(-seconds);
    if (replica === undefined) return ticks.map((tick) => tick[population]);
    return ticks
      .map((tick) => tick.byReplica[replica]?.[population])
      .filter((cell) => cell !== undefined);
  }

  /** Real requests under way; {@link inFlightTotal} counts those of sweeps as well. */
  get realInFlight(): number {
    return this.ticks.at(-1)?.real.inFlight ?? this.inFlightTotal;
  }

  /** Distribution of a latency over the last `seconds`. */
  distribution(
    of: "ttft" | "tpot",
    population: Population,
    seconds: number,
    replica?: string,
  ): Distribution {
    const distribution = new Distribution(this.gamma);
    for (const cell of this.cells(population, seconds, replica)) distribution.merge(cell[of]);
    return distribution;
  }

  /** Takes frames in, in order, and says so once. Public so that a recording can drive the same board. */
  take(frames: readonly Frame[]): void {
    this.#lastFrameAt = Date.now();
    for (const frame of frames) {
      this.nowMs = frame.nowMs;
      this.#sequence = frame.sequence;
      if (frame.kind === "snapshot") this.#takeSnapshot(frame);
      else this.#takeTick(frame);
      this.inFlight = frame.inFlight;
      this.inFlightTotal = frame.inFlightTotal;
    }
    this.#enter(this.isRecording ? this.connection : { kind: "live" });
  }

  /** From now on frames come out of a file: nobody is connected to, and nothing can be done to the fleet. */
  showRecording(name: string): void {
    this.stop();
    this.pausedAtMs = null;
    this.#enter({ kind: "recording", name });
  }

  #takeTick(frame: TickFrame): void {
    const fresh = [...frame.missed, frame.tick];
    for (const tick of fresh) this.lately.push(tick);
    this.ticks = [...this.ticks, ...fresh].slice(-TICKS_MAX);
    const replicas = new Map(this.replicas);
    for (const patch of frame.replicas)
      replicas.set(patch.id, { ...replicas.get(patch.id), ...patch } as ReplicaView);
    for (const id of frame.removed) replicas.delete(id);
    this.replicas = replicas;
    this.ended = [...frame.ended, ...this.ended].slice(0, ENDED_MAX);
    this.events = [...this.events, ...frame.events].slice(-EVENTS_MAX);
    this.slos = frame.slos ?? this.slos;
  }

  #takeSnapshot(frame: SnapshotFrame): void {
    // A board of another release would misread what comes next.
    if (!this.isRecording && this.release !== "" && this.release !== frame.release)
      location.reload();
    this.#bootId = frame.bootId;
    const { gamma, tickMs, dataUrl, release, history, replicas, ended, events } = frame;
    const { slos, goodput, mayWrite } = frame;
    Object.assign(this, { gamma, tickMs, dataUrl, release, ticks: history, ended, events });
    Object.assign(this, { slos, goodput, mayWrite: mayWrite && !this.isRecording });
    this.lately.reset(gamma, history);
    this.replicas = new Map(replicas.map((view) => [view.id, view]));
  }

  #connect(): void {
    const url = new URL("/api/v1/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const token = new URLSearchParams(location.search).get("token");
    if (token !== null) url.searchParams.set("token", token);
    url.searchParams.set("encoding", "deflate-raw");
    if (this.#bootId !== "") {
      url.searchParams.set("boot", this.#bootId);
      url.searchParams.set("after", String(this.#sequence));
    }
    const socket = new WebSocket(url);
    socket.binaryType = "blob";
    this.#socket = socket;
    socket.addEventListener("message", (message: MessageEvent<Blob>) => {
      this.#failures = 0;
      this.#taken = this.#taken.then(async () => {
        const frame = JSON.parse(await inflated(message.data)) as Frame;
        if (!this.#stopped) this.take([frame]);
      });
    });
    socket.addEventListener("close", () => {
      if (this.#stopped) return;
      if (this.connection.kind !== "disconnected")
        this.#enter({ kind: "disconnected", sinceMs: Date.now() });
      const wait = RECONNECT_MS[Math.min(this.#failures++, RECONNECT_MS.length - 1)] ?? 4000;
      setTimeout(() => {
        if (!this.#stopped) this.#connect();
      }, wait);
    });
  }

  #enter(connection: Connection): void {
    this.connection = connection;
    this.dispatchEvent(new Event("change"));
  }
}

function inflated(bytes: Blob): Promise<string> {
  return new Response(bytes.stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

/** The one store of the page. */
export const store = new LiveStore();
