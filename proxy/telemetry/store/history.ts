import type { Clock } from "../../../engines/clock.ts";
import type { Exchange } from "../../../engines/exchange.ts";
import type { FleetEvent } from "../../upstream/fleet.ts";
import type { EventLane } from "../event-lane.ts";
import type { ExchangeRing } from "../exchange-ring.ts";
import type { Feed } from "../feed.ts";
import type { Slot } from "../ladder.ts";
import type { TelemetryOptions } from "../options.ts";
import { SLO_WINDOW_MAX_MS, type SloDesk } from "../slo/slo-desk.ts";
import type { Traffic } from "../traffic.ts";
import { Store } from "./store.ts";

const MINUTE_MS = 60_000;
/** Threads tell of what ended five times a second; a stalled one somewhat later. */
const LATE_MS = 3_000;

/** What of the telemetry survives a restart. */
interface Remembered {
  readonly feed: Feed;
  readonly traffic: Traffic;
  readonly ring: ExchangeRing;
  readonly slos: SloDesk;
}

/**
 * Opens the data directory; `null` when none is wanted.
 * @throws {StoreError} when it cannot be used.
 */
export async function openHistory(
  { dataDir = null, retention = {} }: TelemetryOptions,
  clock: Clock,
): Promise<History | null> {
  if (dataDir === null) return null;
  const troubles: string[] = [];
  const trouble = { tell: (message: string) => void troubles.push(message) };
  const store = await Store.open({
    directory: dataDir,
    nowMs: clock.nowMs(),
    retention,
    onTrouble: (message) => {
      trouble.tell(message);
    },
  });
  return new History(store, troubles, trouble);
}

/** Gives the telemetry back what an earlier run kept, and keeps what this one counts, second by second. */
export class History {
  readonly #store: Store;
  readonly #troubles: readonly string[];
  readonly #trouble: { tell: (message: string) => void };
  /** Valid requests of each promise as of its last written minute. */
  readonly #written = new Map<string, number>();
  #of: Remembered | null = null;
  /** Ended in seconds that are over: what the file says agrees with its slots. */
  #total: number;

  constructor(
    store: Store,
    troubles: readonly string[],
    trouble: { tell: (message: string) => void },
  ) {
    this.#store = store;
    this.#troubles = troubles;
    this.#trouble = trouble;
    this.#total = store.restored.endedTotal;
  }

  /** Puts back what was kept, and says what went wrong in doing so. */
  join(of: Remembered, lane: EventLane, clock: Clock): void {
    this.#of = of;
    const nowMs = clock.nowMs();
    const { slots, minutes, exchanges, events, endedTotal } = this.#store.restored;
    of.ring.restore(exchanges, endedTotal);
    lane.restore(events);
    of.slos.restore(minutes, nowMs);
    of.traffic.restore(slots);
    this.#store.onRenewed = () => {
      this.#keepAll(of, lane, clock.nowMs());
    };
    this.#trouble.tell = (message) => {
      process.emitWarning(message);
      of.feed.event({ atMs: clock.nowMs(), kind: "history", subject: "history", message });
    };
    for (const message of this.#troubles) this.#trouble.tell(message);
  }

  slot(level: number, slot: Slot): void {
    this.#store.slot(level, slot);
  }

  ended(exchange: Exchange): void {
    this.#total++;
    this.#store.ended(exchange);
  }

  happened(event: FleetEvent): void {
    this.#store.happened(event);
  }

  /** Hands one second's rows over. */
  keep(closesMs: number): void {
    const total = this.#note(closesMs);
    this.#store.flush(closesMs, total);
  }

  /** The last rows, then the file is let go. */
  close(nowMs: number): Promise<void> {
    return this.#store.close(nowMs, this.#note(nowMs));
  }

  /** Gathers each promise's minute where something counted. Returns how many requests have ended. */
  #note(closesMs: number): number {
    if (this.#of === null) return this.#total;
    for (const slo of this.#of.slos.slos) {
      const { name } = slo.options;
      if (this.#written.get(name) === slo.validTotal) continue;
      this.#written.set(name, slo.validTotal);
      this.#store.minute(name, slo.counts.minute(closesMs - 1));
      // What ended on another thread is told a little later, perhaps in the next minute.
      if ((closesMs - 1) % MINUTE_MS < LATE_MS)
        this.#store.minute(name, slo.counts.minute(closesMs - 1 - MINUTE_MS));
    }
    return this.#total;
  }

  /** Everything in memory, for a file that knows nothing. */
  #keepAll({ traffic, slos }: Remembered, lane: EventLane, nowMs: number): void {
    traffic.ladder.each((level, slot) => {
      this.#store.slot(level, slot);
    });
    for (const slo of slos.slos)
      for (const minute of slo.counts.minutes(nowMs - SLO_WINDOW_MAX_MS, nowMs))
        this.#store.minute(slo.options.name, minute);
    for (const event of lane.events) this.#store.happened(event);
  }
}
