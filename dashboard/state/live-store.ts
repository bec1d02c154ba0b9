import type {
  EndedRow,
  Frame,
  InFlightRow,
  SnapshotFrame,
  Tick,
  TrafficCell,
} from "../../proxy/live/frames.ts";
import type { SloView } from "../../proxy/telemetry/slo/slo-view.ts";
import type { FleetEvent, ReplicaView } from "../../proxy/upstream/fleet.ts";
import { type Distribution, merged } from "./bins.ts";

/** Seconds the board remembers. */
const TICKS_MAX = 900;
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
  | { readonly kind: "disconnected"; readonly sinceMs: number };

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

  /** Connects, and keeps reconnecting until stopped. */
  start(): void {
    this.#connect();
    setInterval(() => {
      const quiet = Date.now() - this.#lastFrameAt;
      if (this.connection.kind === "live" && quiet > STALE_AFTER_MS) {
        this.#enter({ kind: "stale", sinceMs: this.#lastFrameAt });
      }
    }, 1000);
  }

  stop(): void {
    this.#stopped = true;
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

  /** True while the figures may be read as "now". */
  get isLive(): boolean {
    return this.connection.kind === "live";
  }

  /** Cells of one population over the last `seconds`, of the fleet or of one replica. */
  cells(population: Population, seconds: number, replica?: string): TrafficCell[] {
    const ticks = this.ticks.slice(-seconds);
    if (replica === undefined) return ticks.map((tick) => tick[population]);
    return ticks
      .map((tick) => tick.byReplica[replica]?.[population])
      .filter((cell) => cell !== undefined);
  }

  /** Distribution of a latency over the last `seconds`. */
  distribution(
    of: "ttft" | "tpot",
    population: Population,
    seconds: number,
    replica?: string,
  ): Distribution {
    return merged(this.cells(population, seconds, replica), of, this.gamma);
  }

  /** Takes one frame in. Public so that a recording can drive the same board. */
  take(frame: Frame): void {
    this.#lastFrameAt = Date.now();
    this.nowMs = frame.nowMs;
    this.#sequence = frame.sequence;
    if (frame.kind === "snapshot") this.#takeSnapshot(frame);
    else {
      this.ticks = [...this.ticks, ...frame.missed, frame.tick].slice(-TICKS_MAX);
      const replicas = new Map(this.replicas);
      for (const patch of frame.replicas)
        replicas.set(patch.id, { ...replicas.get(patch.id), ...patch } as ReplicaView);
      for (const id of frame.removed) replicas.delete(id);
      this.replicas = replicas;
      this.ended = [...frame.ended, ...this.ended].slice(0, ENDED_MAX);
      this.events = [...this.events, ...frame.events].slice(-EVENTS_MAX);
      this.slos = frame.slos ?? this.slos;
    }
    this.inFlight = frame.inFlight;
    this.inFlightTotal = frame.inFlightTotal;
    this.#enter({ kind: "live" });
  }

  #takeSnapshot(frame: SnapshotFrame): void {
    if (this.release !== "" && this.release !== frame.release) location.reload();
    this.#bootId = frame.bootId;
    const { gamma, tickMs, dataUrl, release, history, replicas, ended, events } = frame;
    const { slos, goodput, mayWrite } = frame;
    Object.assign(this, { gamma, tickMs, dataUrl, release, ticks: history, ended, events });
    Object.assign(this, { slos, goodput, mayWrite });
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
        this.take(JSON.parse(await inflated(message.data)) as Frame);
      });
    });
    socket.addEventListener("close", () => {
      if (this.#stopped) return;
      if (this.connection.kind !== "disconnected")
        this.#enter({ kind: "disconnected", sinceMs: Date.now() });
      const wait = RECONNECT_MS[Math.min(this.#failures++, RECONNECT_MS.length - 1)] ?? 4000;
      setTimeout(() => {
        this.#connect();
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
