import type { FleetEvent } from "../upstream/fleet.ts";

/** Events of the fleet kept for the lane under the charts. */
const EVENTS_MAX = 500;
/** A message beyond this is cut: the lane tells what happened, the log tells the rest. */
const MESSAGE_CHARS_MAX = 500;

/** What happened to the fleet, oldest first: the deploy that did it is beside the curve it bent. */
export class EventLane {
  #events: FleetEvent[] = [];

  ended(): void {}

  happened(event: FleetEvent): void {
    const message = event.message.slice(0, MESSAGE_CHARS_MAX);
    this.#events.push(message === event.message ? event : { ...event, message });
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
  }

  get events(): readonly FleetEvent[] {
    return this.#events;
  }

  /** Takes back what an earlier run kept, oldest first. */
  restore(events: readonly FleetEvent[]): void {
    this.#events = [...events, ...this.#events].slice(-EVENTS_MAX);
  }
}
