import type { Exchange, ExchangeListener } from "../../engines/exchange.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { FleetEvent } from "../upstream/fleet.ts";

/** A request under way: what was known when it began, and how it stands. Read here, measured elsewhere. */
export type UnderWay = Pick<ExchangeTimer, "start" | "view">;

/** Told when a request begins, besides when it ends. */
export interface BeginListener {
  began(timer: UnderWay): void;
}

/** Told what happens to the fleet. */
export interface EventListener {
  happened(event: FleetEvent): void;
}

export type FeedListener = ExchangeListener & Partial<BeginListener> & Partial<EventListener>;

/**
 * The one stream. The data path tells it of each request twice, at its beginning and at its end; everybody who
 * shows, counts or keeps anything listens here. Listeners are synchronous and never block.
 */
export class Feed implements ExchangeListener {
  readonly #listeners: readonly FeedListener[];
  readonly #inFlight = new Set<UnderWay>();

  constructor(listeners: readonly FeedListener[]) {
    this.#listeners = listeners;
  }

  /** A request has begun; its timer is readable until {@link ended} tells of the same id. */
  began(timer: UnderWay): void {
    this.#inFlight.add(timer);
    for (const listener of this.#listeners) listener.began?.(timer);
  }

  /** The timer's request is over. */
  closed(timer: UnderWay, exchange: Exchange): void {
    this.#inFlight.delete(timer);
    this.ended(exchange);
  }

  /** An exchange ended that was measured elsewhere, such as a sweep's. */
  ended(exchange: Exchange): void {
    for (const listener of this.#listeners) listener.ended(exchange);
  }

  /** Something happened to the fleet. */
  event(event: FleetEvent): void {
    for (const listener of this.#listeners) listener.happened?.(event);
  }

  /** Requests under way, oldest first. */
  inFlight(): Iterable<UnderWay> {
    return this.#inFlight;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }
}
