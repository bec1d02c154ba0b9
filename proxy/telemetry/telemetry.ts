import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { Tick } from "../live/frames.ts";
import type { Fleet, FleetEvent } from "../upstream/fleet.ts";
import { ExchangeRing } from "./exchange-ring.ts";
import { Feed, type FeedListener } from "./feed.ts";
import { Prometheus } from "./prometheus.ts";
import { TICK_MS, Traffic } from "./traffic.ts";

/** Events of the fleet kept for the lane under the charts. */
const EVENTS_MAX = 500;

/** Everything that listens to the feed, in one place. */
export interface Telemetry {
  readonly feed: Feed;
  readonly traffic: Traffic;
  readonly ring: ExchangeRing;
  readonly prometheus: Prometheus;
  /** Oldest first. */
  readonly events: readonly FleetEvent[];
  /** Calls `listener` once a second with the second just closed. */
  onTick(listener: (tick: Tick) => void): Cancel;
  /** Adds a reader of the stream after the fact; it stays for good. */
  listen(listener: FeedListener): void;
  stop(): void;
}

/** Builds the listeners and starts their one timer. */
export function createTelemetry({
  clock,
  fleet,
}: {
  readonly clock: Clock;
  readonly fleet: Fleet;
}): Telemetry {
  const traffic = new Traffic(clock);
  const ring = new ExchangeRing();
  const prometheus = new Prometheus(fleet, clock);
  const events: FleetEvent[] = [];
  const keepEvent = {
    ended: () => {},
    happened: (event: FleetEvent) => {
      events.push(event);
      if (events.length > EVENTS_MAX) events.shift();
    },
  };
  const readers: FeedListener[] = [traffic, ring, prometheus, keepEvent];
  const feed = new Feed(readers);
  const listeners = new Set<(tick: Tick) => void>();
  const stop = every(clock, TICK_MS, () => {
    const tick = traffic.tick();
    for (const listener of listeners) listener(tick);
  });
  return {
    feed,
    traffic,
    ring,
    prometheus,
    events,
    onTick(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    listen(listener) {
      readers.push(listener);
    },
    stop,
  };
}
