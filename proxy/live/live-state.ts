import type { Clock } from "../../engines/clock.ts";
import { endedRow } from "../telemetry/exchange-ring.ts";
import type { SweepDesk } from "../synthetic/sweep-desk.ts";
import type { SweepRow } from "../synthetic/sweep-view.ts";
import type { FeedListener } from "../telemetry/feed.ts";
import { GAMMA } from "../telemetry/sketch.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TICK_MS } from "../telemetry/traffic.ts";
import type { Fleet, FleetEvent, ReplicaView } from "../upstream/fleet.ts";
import {
  type EndedRow,
  ENDED_ROWS_MAX,
  FRAME_VERSION,
  IN_FLIGHT_ROWS_MAX,
  type InFlightRow,
  type SnapshotFrame,
  SNAPSHOT_ENDED_ROWS_MAX,
  type Tick,
  type TickFrame,
} from "./frames.ts";
import { inFlightRow } from "./in-flight-row.ts";
import { patchesBetween } from "./replica-patch.ts";

const SNAPSHOT_EVENTS_MAX = 50;
const FRAME_EVENTS_MAX = 30;

export interface LiveSource {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly fleet: Fleet;
  readonly sweeps?: Pick<SweepDesk, "running">;
  readonly release: string;
  readonly bootId: string;
  /** Where clients connect; known once the listener runs. */
  readonly dataUrl: () => string;
  readonly mayWrite: boolean;
}

/**
 * What viewers have been told so far, as of one sequence number. Frames are the same for everybody: a snapshot is the
 * state after frame n, and frame n + 1 is what changed since, so each is made and encoded once.
 */
export class LiveState implements FeedListener {
  sequence = 0;
  readonly #source: LiveSource;
  readonly #startedMs: number;
  #awake = false;
  #replicas: readonly ReplicaView[] = [];
  #inFlight: readonly InFlightRow[] = [];
  #inFlightTotal = 0;
  #ended: EndedRow[] = [];
  #freshEnded: EndedRow[] = [];
  #freshEvents: FleetEvent[] = [];
  #toldEvents: readonly FleetEvent[] = [];

  constructor(source: LiveSource) {
    this.#source = source;
    this.#startedMs = source.clock.nowMs();
  }

  ended(exchange: Parameters<FeedListener["ended"]>[0]): void {
    if (!this.#awake) return;
    this.#freshEnded.push(endedRow(exchange));
    // Rows beyond one frame's worth are in the list the board can ask for; the newest ones are shown.
    if (this.#freshEnded.length > ENDED_ROWS_MAX) this.#freshEnded.shift();
  }

  happened(event: FleetEvent): void {
    if (this.#awake) this.#freshEvents.push(event);
  }

  /** Somebody is about to watch: what was not kept while nobody did is read anew. */
  wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    const { telemetry, fleet } = this.#source;
    this.#ended = [];
    for (const exchange of telemetry.ring.newest())
      if (this.#ended.push(endedRow(exchange)) === SNAPSHOT_ENDED_ROWS_MAX) break;
    this.#replicas = fleet.views();
    this.#toldEvents = telemetry.events.slice(-SNAPSHOT_EVENTS_MAX);
    this.#look();
  }

  /** Nobody watches: nothing is collected until {@link wake}. */
  sleep(): void {
    this.#awake = false;
    this.#freshEnded = [];
    this.#freshEvents = [];
  }

  /** The next frame. */
  tick(tick: Tick, judged: boolean): TickFrame {
    const { clock, fleet, telemetry } = this.#source;
    this.sequence++;
    const ended = this.#freshEnded.toReversed();
    const events = this.#freshEvents.slice(-FRAME_EVENTS_MAX);
    this.#freshEnded = [];
    this.#freshEvents = [];
    this.#ended = [...ended, ...this.#ended].slice(0, SNAPSHOT_ENDED_ROWS_MAX);
    this.#toldEvents = [...this.#toldEvents, ...events].slice(-SNAPSHOT_EVENTS_MAX);
    const before = this.#replicas;
    this.#replicas = fleet.views();
    this.#look();
    return {
      kind: "tick",
      sequence: this.sequence,
      nowMs: clock.nowMs(),
      tick,
      missed: [],
      ...patchesBetween(before, this.#replicas),
      inFlight: this.#inFlight,
      inFlightTotal: this.#inFlightTotal,
      ended,
      events,
      ...(judged ? { slos: telemetry.slos.views() } : {}),
      ...this.#sweeps(),
    };
  }

  /** Everything, as of the last frame. */
  snapshot(): SnapshotFrame {
    const { clock, telemetry, release, bootId, dataUrl, mayWrite } = this.#source;
    return {
      kind: "snapshot",
      version: FRAME_VERSION,
      release,
      bootId,
      startedMs: this.#startedMs,
      nowMs: clock.nowMs(),
      sequence: this.sequence,
      tickMs: TICK_MS,
      gamma: GAMMA,
      dataUrl: dataUrl(),
      mayWrite,
      goodput: telemetry.traffic.goodput,
      replicas: this.#replicas,
      history: [...telemetry.traffic.ticks()],
      inFlight: this.#inFlight,
      inFlightTotal: this.#inFlightTotal,
      ended: this.#ended,
      events: this.#toldEvents,
      slos: telemetry.slos.views(),
      ...this.#sweeps(),
    };
  }

  /** Replicas as of the last frame, whole. */
  get replicas(): readonly ReplicaView[] {
    return this.#replicas;
  }

  #sweeps(): { sweeps?: readonly SweepRow[] } {
    const sweeps = this.#source.sweeps?.running() ?? [];
    return sweeps.length === 0 ? {} : { sweeps };
  }

  /** The oldest requests under way: the ones somebody might worry about. */
  #look(): void {
    const { clock, telemetry } = this.#source;
    const nowMs = clock.nowMs();
    const rows: InFlightRow[] = [];
    for (const timer of telemetry.feed.inFlight())
      if (rows.push(inFlightRow(timer, nowMs)) === IN_FLIGHT_ROWS_MAX) break;
    this.#inFlight = rows;
    this.#inFlightTotal = telemetry.feed.inFlightCount;
  }
}
