import type { Cancel, Clock } from "../../engines/clock.ts";
import { systemRandom } from "../../engines/random.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { Tick } from "../live/frames.ts";
import type { Fleet, FleetEvent } from "../upstream/fleet.ts";
import { EventLane } from "./event-lane.ts";
import { EXCHANGES_MAX, ExchangeRing } from "./exchange-ring.ts";
import { type Fact, FactReader } from "./fact.ts";
import { Feed, type FeedListener } from "./feed.ts";
import { floorTo, HISTORY_BYTES_MAX, Ladder } from "./ladder.ts";
import { ModelLabels } from "./model-labels.ts";
import { GOODPUT_DEFAULT, type TelemetryOptions } from "./options.ts";
import type { OpenSinks } from "./open-sinks.ts";
import { Prometheus } from "./prometheus.ts";
import type { Sink } from "./sink.ts";
import { Notifier } from "./webhooks/notifier.ts";
import type { AlertChange } from "./slo/slo.ts";
import { SloDesk } from "./slo/slo-desk.ts";
import type { History } from "./store/history.ts";
import { TICK_MS, Traffic } from "./traffic.ts";

/** Exchanges waiting to be folded at most; a busier second is folded in parts. */
const PENDING_MAX = 2_000;
/** After a pause of the whole process longer than this the seconds in between are left out, not written as zeros. */
const GAP_MAX_MS = 60_000;

/** Everything that listens to the feed, in one place. */
export interface Telemetry {
  readonly feed: Feed;
  readonly traffic: Traffic;
  readonly ring: ExchangeRing;
  readonly prometheus: Prometheus;
  readonly slos: SloDesk;
  /** Oldest first. */
  readonly events: readonly FleetEvent[];
  /** Calls `listener` once a second with the second just closed; `judged` when promises were judged anew. */
  onTick(listener: (tick: Tick, judged: boolean) => void): Cancel;
  /** Adds a reader of the stream after the fact. */
  listen(listener: FeedListener): Cancel;
  /** Counts everything that has ended so far: for whoever reads between two ticks. */
  settle(): void;
  /** Counts the last second, writes it down and stops every timer. */
  stop(): Promise<void>;
}

export interface TelemetryParts {
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly options?: TelemetryOptions;
  /** What survives a restart; its contents are taken back at once. */
  readonly history?: History | null;
  /** Where the stream goes besides: the log, a collector. */
  readonly openSinks?: OpenSinks;
}

/** Builds the listeners and starts their one timer. */
export function createTelemetry(parts: TelemetryParts): Telemetry {
  return new Meter(parts);
}

/**
 * What an ended exchange costs the data path is one push; it is worked out and counted once a second, for all readers
 * together.
 */
class Meter implements Telemetry {
  readonly feed: Feed;
  readonly traffic: Traffic;
  readonly ring: ExchangeRing;
  readonly prometheus: Prometheus;
  readonly slos: SloDesk;
  readonly #clock: Clock;
  readonly #readers: FeedListener[];
  readonly #lane = new EventLane();
  readonly #models: ModelLabels;
  readonly #facts = new FactReader();
  readonly #history: History | null;
  readonly #sinks: readonly Sink[];
  readonly #notifier: Notifier;
  readonly #listeners = new Set<(tick: Tick, judged: boolean) => void>();
  #pending: Exchange[] = [];
  #cancelTick: Cancel = () => {};

  constructor({
    clock,
    fleet,
    options = {},
    history = null,
    openSinks = () => [],
  }: TelemetryParts) {
    this.#clock = clock;
    this.#history = history;
    this.#models = new ModelLabels(fleet);
    const { retention = {} } = options;
    this.ring = new ExchangeRing(retention.requests ?? EXCHANGES_MAX);
    this.traffic = new Traffic(clock, {
      ladder: new Ladder(retention.historyBytesMax ?? HISTORY_BYTES_MAX, (level, slot) =>
        history?.slot(level, slot),
      ),
      goodput: options.goodput ?? GOODPUT_DEFAULT,
    });
    this.prometheus = new Prometheus({
      clock,
      fleet,
      goodput: this.traffic.goodput,
      slos: options.slos ?? [],
    });
    this.#sinks = openSinks(this.prometheus.families);
    this.#notifier = new Notifier(options.webhooks ?? [], systemRandom(), (message) => {
      this.feed.event({
        atMs: clock.nowMs(),
        kind: "webhook-failed",
        subject: "webhooks",
        message,
      });
    });
    this.slos = new SloDesk(options.slos ?? [], clock.nowMs(), (change) => {
      this.feed.event(alertEvent(change, clock.nowMs()));
    });
    const intake: FeedListener = {
      began: (timer) => {
        this.traffic.began(timer, this.#models.labelOf(timer.start.model));
      },
      ended: (exchange) => {
        this.#pending.push(exchange);
        if (this.#pending.length >= PENDING_MAX) this.settle();
      },
      happened: (event) => history?.happened(event),
    };
    const events: FeedListener = {
      ended: () => {},
      happened: (event) => {
        this.prometheus.happened(event);
      },
    };
    this.#readers = [intake, this.ring, this.#lane, events];
    this.feed = new Feed(this.#readers);
    history?.join(this, this.#lane, clock);
    this.#awaitSecond();
  }

  get events(): readonly FleetEvent[] {
    return this.#lane.events;
  }

  onTick(listener: (tick: Tick, judged: boolean) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  listen(listener: FeedListener): Cancel {
    this.#readers.push(listener);
    return () => {
      const index = this.#readers.indexOf(listener);
      if (index !== -1) this.#readers.splice(index, 1);
    };
  }

  settle(): void {
    this.#closeSeconds(this.#clock.nowMs());
    this.#fold(Infinity);
  }

  async stop(): Promise<void> {
    this.#cancelTick();
    this.settle();
    await Promise.all([this.#notifier, ...this.#sinks].map((one) => one.stop()));
    if (this.#history === null) return;
    // The running second is written as far as it got.
    this.traffic.tick();
    await this.#history.close(this.#clock.nowMs());
  }

  /** Ticks fall on whole seconds, so that slots of all levels and of all proxies line up. */
  #awaitSecond(): void {
    const nowMs = this.#clock.nowMs();
    const dueMs = Math.max(this.traffic.closesMs, floorTo(nowMs, TICK_MS));
    this.#cancelTick = this.#clock.schedule(dueMs - nowMs, () => {
      this.#closeSeconds(this.#clock.nowMs());
      this.#awaitSecond();
    });
  }

  /** Closes every second that is over. */
  #closeSeconds(nowMs: number): void {
    if (nowMs - this.traffic.closesMs > GAP_MAX_MS) {
      this.#fold(Infinity);
      this.traffic.skipTo(nowMs);
    }
    while (this.traffic.closesMs <= nowMs) {
      const closesMs = this.traffic.closesMs;
      this.#fold(closesMs);
      this.#models.refresh();
      const tick = this.traffic.tick();
      const judged = this.slos.tick(closesMs);
      if (judged) this.#notifier.judged(this.slos, closesMs);
      this.#history?.keep(closesMs);
      this.#flush(closesMs);
      for (const listener of this.#listeners) listener(tick, judged);
    }
  }

  /** Counts what ended before `untilMs`; exchanges come in the order they ended. */
  #fold(untilMs: number): void {
    const pending = this.#pending;
    let done = 0;
    for (; done < pending.length; done++) {
      const exchange = pending[done];
      if (exchange === undefined || exchange.times.endedMs >= untilMs) break;
      this.#count(this.#facts.read(exchange, this.#models.labelOf(exchange.model)));
    }
    this.#pending = pending.slice(done);
  }

  #count(fact: Fact): void {
    this.traffic.ended(fact);
    this.slos.take(fact);
    this.prometheus.take(fact);
    this.#history?.ended(fact.exchange);
    for (const sink of this.#sinks) sink.take(fact);
  }

  #flush(nowMs: number): void {
    this.#notifier.tick(nowMs);
    this.prometheus.dropped("webhook", this.#notifier.dropped);
    for (const sink of this.#sinks) {
      sink.flush(nowMs);
      this.prometheus.dropped(sink.name, sink.dropped);
    }
  }
}

function alertEvent({ slo, alert }: AlertChange, atMs: number): FleetEvent {
  const rate = (value: number | null): string => (value === null ? "—" : value.toFixed(1));
  const hours = alert.longMs / 3_600_000;
  return {
    atMs,
    kind: alert.firing ? "alert-fired" : "alert-cleared",
    subject: slo.options.name,
    message: `${alert.severity}: ${slo.sentence}: burn ${rate(alert.longRate)} × over ${hours < 1 ? `${Math.round(hours * 60)} min` : `${hours} h`} (fires above ${alert.factor.toFixed(1)} ×)`,
  };
}
