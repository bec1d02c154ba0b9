import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../../engines/clock.ts";
import { endedRow } from "../telemetry/exchange-ring.ts";
import { GAMMA } from "../telemetry/sketch.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TICK_MS, TICKS_MAX } from "../telemetry/traffic.ts";
import type { Fleet, FleetEvent, ReplicaView } from "../upstream/fleet.ts";
import {
  type EndedRow,
  ENDED_ROWS_MAX,
  FRAME_VERSION,
  IN_FLIGHT_ROWS_MAX,
  type InFlightRow,
  type SnapshotFrame,
  STALLED_AFTER_MS,
  type Tick,
  type TickFrame,
} from "./frames.ts";

/** Viewers at once: a wall of screens, not an attack. */
const VIEWERS_MAX = 100;
/** A viewer with this much unsent is not sent more: it gets the latest when it has caught up. */
const BUFFERED_BYTES_MAX = 262_144;
/** Ticks a slow viewer is owed at most; the rest it gets by reconnecting. */
const MISSED_TICKS_MAX = 60;
const PING_EVERY_TICKS = 15;
/** What a viewer may send: nothing it needs is longer. */
const MESSAGE_BYTES_MAX = 65_536;
/** Close code for a server that is going away (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;

export interface HubOptions {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly fleet: Fleet;
  readonly release: string;
  readonly bootId: string;
  /** Where clients connect; known once the listener runs. */
  readonly dataUrl: () => string;
  readonly mayWrite: boolean;
}

interface Viewer {
  readonly socket: WebSocket;
  /** Ticks it was too slow for. */
  missed: Tick[];
  /** Ended rows and events since its last frame. */
  ended: EndedRow[];
  events: FleetEvent[];
  /** Replica views it was last sent, by id. */
  replicas: Map<string, string>;
}

/** Sends the fleet to whoever watches, once a second. A slow viewer misses frames; it never delays anyone. */
export class LiveHub {
  readonly #options: HubOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #viewers = new Set<Viewer>();
  readonly #startedMs: number;
  readonly #stopTicks: () => void;
  #sequence = 0;
  #freshEnded: EndedRow[] = [];
  #freshEvents: FleetEvent[] = [];

  constructor(options: HubOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#stopTicks = options.telemetry.onTick((tick) => {
      this.#send(tick);
    });
    options.telemetry.listen({
      ended: (exchange) => {
        // Rows beyond one frame's worth are in the list the board can ask for.
        if (this.#viewers.size > 0 && this.#freshEnded.length < ENDED_ROWS_MAX)
          this.#freshEnded.push(endedRow(exchange));
      },
      happened: (event) => {
        this.#freshEvents.push(event);
      },
    });
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Takes over an upgrade request whose origin was checked. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#viewers.size >= VIEWERS_MAX) {
      socket.end("HTTP/1.1 503 Too Many Viewers\r\nconnection: close\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      this.#join(ws);
    });
  }

  stop(): void {
    this.#stopTicks();
    for (const { socket } of this.#viewers) socket.close(GOING_AWAY, "the proxy is stopping");
    for (const { socket } of this.#viewers) socket.terminate();
    this.#viewers.clear();
  }

  #join(socket: WebSocket): void {
    const viewer: Viewer = { socket, missed: [], ended: [], events: [], replicas: new Map() };
    const leave = (): void => {
      this.#viewers.delete(viewer);
    };
    socket.on("close", leave);
    socket.on("error", leave);
    this.#changed(viewer);
    this.#viewers.add(viewer);
    socket.send(JSON.stringify(this.#snapshot()));
  }

  #snapshot(): SnapshotFrame {
    const { clock, telemetry, fleet, release, bootId, dataUrl, mayWrite } = this.#options;
    const ended: EndedRow[] = [];
    for (const exchange of telemetry.ring.newest()) {
      if (ended.push(endedRow(exchange)) === ENDED_ROWS_MAX) break;
    }
    return {
      kind: "snapshot",
      version: FRAME_VERSION,
      release,
      bootId,
      startedMs: this.#startedMs,
      nowMs: clock.nowMs(),
      sequence: this.#sequence,
      tickMs: TICK_MS,
      gamma: GAMMA,
      dataUrl: dataUrl(),
      mayWrite,
      replicas: fleet.views(),
      history: telemetry.traffic.ticks().slice(-TICKS_MAX),
      ...this.#inFlight(),
      ended,
      events: telemetry.events.slice(-50),
    };
  }

  #send(tick: Tick): void {
    this.#sequence++;
    const ended = this.#freshEnded.toReversed();
    const events = this.#freshEvents;
    this.#freshEnded = [];
    this.#freshEvents = [];
    if (this.#viewers.size === 0) return;
    const inFlight = this.#inFlight();
    const nowMs = this.#options.clock.nowMs();
    for (const viewer of this.#viewers) {
      viewer.ended = [...ended, ...viewer.ended].slice(0, ENDED_ROWS_MAX);
      viewer.events = [...viewer.events, ...events].slice(-ENDED_ROWS_MAX);
      if (viewer.socket.bufferedAmount > BUFFERED_BYTES_MAX) {
        viewer.missed = [...viewer.missed, tick].slice(-MISSED_TICKS_MAX);
        continue;
      }
      const frame: TickFrame = {
        kind: "tick",
        sequence: this.#sequence,
        nowMs,
        tick,
        missed: viewer.missed,
        ...this.#changed(viewer),
        ...inFlight,
        ended: viewer.ended,
        events: viewer.events,
      };
      viewer.missed = [];
      viewer.ended = [];
      viewer.events = [];
      viewer.socket.send(JSON.stringify(frame));
      if (this.#sequence % PING_EVERY_TICKS === 0) viewer.socket.ping();
    }
  }

  /** Replica views that differ from what this viewer was last sent, and ids that are gone. */
  #changed(viewer: Viewer): { replicas: readonly ReplicaView[]; removed: readonly string[] } {
    const views = this.#options.fleet.views();
    const replicas = views.filter((view) => {
      const text = JSON.stringify({ ...view, statsAtMs: 0, lastProbe: view.lastProbe?.ok });
      const isNew = viewer.replicas.get(view.id) !== text;
      viewer.replicas.set(view.id, text);
      return isNew;
    });
    const removed = [...viewer.replicas.keys()].filter(
      (id) => !views.some((view) => view.id === id),
    );
    for (const id of removed) viewer.replicas.delete(id);
    return { replicas, removed };
  }

  /** The oldest requests under way: the ones somebody might worry about. */
  #inFlight(): { inFlight: readonly InFlightRow[]; inFlightTotal: number } {
    const { feed } = this.#options.telemetry;
    const nowMs = this.#options.clock.nowMs();
    const inFlight: InFlightRow[] = [];
    for (const timer of feed.inFlight()) {
      if (inFlight.length === IN_FLIGHT_ROWS_MAX) break;
      const view = timer.view();
      const {
        id,
        origin,
        model,
        replica,
        outputEvents,
        attempts,
        firstTokenMs,
        lastTokenMs,
        startedMs,
      } = view;
      const stalled =
        view.phase === "decode" && lastTokenMs !== null && nowMs - lastTokenMs > STALLED_AFTER_MS;
      const ttftMs = firstTokenMs === null ? null : firstTokenMs - startedMs;
      inFlight.push({
        id,
        origin,
        model,
        replica,
        phase: stalled ? "stalled" : view.phase,
        ageMs: nowMs - startedMs,
        outputEvents,
        ttftMs,
        attempts,
      });
    }
    return { inFlight, inFlightTotal: feed.inFlightCount };
  }
}
