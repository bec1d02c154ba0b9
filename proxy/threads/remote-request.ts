import type { Clock } from "../../engines/clock.ts";
import type { Exchange, InFlightView } from "../../engines/exchange.ts";
import { type ExchangeStart, ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { UnderWay } from "../telemetry/feed.ts";

/** A request under way on another thread, as that thread last told. */
export class RemoteRequest implements UnderWay {
  readonly start: ExchangeStart;
  #view: InFlightView;

  constructor(start: ExchangeStart) {
    this.start = start;
    const { id, origin, route, model, streamed, startedMs } = start;
    this.#view = {
      id,
      origin,
      route,
      model,
      streamed,
      startedMs,
      replica: null,
      phase: "queued",
      firstTokenMs: null,
      lastTokenMs: null,
      outputEvents: 0,
      attempts: 0,
    };
  }

  view(): InFlightView {
    return this.#view;
  }

  told(view: InFlightView): void {
    this.#view = view;
  }

  /** The record of a request whose thread died with it: all that is known is when it began and that it broke. */
  lost(clock: Clock): Exchange {
    const timer = new ExchangeTimer(this.start, clock);
    const exchange = timer.end({ kind: "broken", code: "internal_error", status: null });
    const { replica, outputEvents } = this.#view;
    const outcome = { kind: outputEvents > 0 ? "cut" : "failed", code: "internal_error" } as const;
    return { ...exchange, replica, outputEvents, outcome };
  }
}
