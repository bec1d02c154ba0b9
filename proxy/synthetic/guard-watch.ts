import { type Exchange, ttftMs } from "../../engines/exchange.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import type { Feed, FeedListener } from "../telemetry/feed.ts";
import { BAD_MIN, burnRate } from "../telemetry/slo/burn-rate.ts";
import type { Slo } from "../telemetry/slo/slo.ts";
import type { GuardReading, SweepGuards } from "./sweep-view.ts";

/** The last seconds: long enough for a percentile on a busy replica, short enough to act before many users notice. */
export const GUARD_WINDOW_MS = 10_000;
/** Promises are looked at over this long: the shortest window alerts use. */
const BURN_WINDOW_MS = 60_000;
/** One slow request may be its own fault; so many at once are ours. */
export const GUARD_OVER_MIN = 3;
/** Ended requests kept for the window: 2,000 a second. */
const KEPT_MAX = 20_000;

export interface GuardWatchParts {
  readonly feed: Feed;
  readonly slos: readonly Slo[];
  readonly replica: string;
  readonly guards: SweepGuards;
}

interface First {
  readonly atMs: number;
  readonly ttftMs: number;
}

/** Watches what real requests on one replica go through while a sweep runs beside them. A listener of the feed. */
export class GuardWatch implements FeedListener {
  readonly #parts: GuardWatchParts;
  #firsts: First[] = [];

  constructor(parts: GuardWatchParts) {
    this.#parts = parts;
  }

  ended(exchange: Exchange): void {
    if (exchange.origin !== "real" || exchange.replica !== this.#parts.replica) return;
    const first = ttftMs(exchange);
    const { kind } = exchange.outcome;
    const { firstTokenMs, endedMs } = exchange.times;
    if (first !== null && firstTokenMs !== null)
      this.#firsts.push({ atMs: firstTokenMs, ttftMs: first });
    // It never got one and it was not the user who left: as slow as can be.
    else if (kind === "failed" || kind === "cut")
      this.#firsts.push({ atMs: endedMs, ttftMs: Infinity });
    if (this.#firsts.length > KEPT_MAX) this.#firsts = this.#firsts.slice(-KEPT_MAX / 2);
  }

  /** How users fare now. Those still waiting longer than the guard allows count with the time they have waited. */
  read(nowMs: number, synthetic: { readonly now: number; readonly max: number }): GuardReading {
    const fromMs = nowMs - GUARD_WINDOW_MS;
    const { guards, feed, replica } = this.#parts;
    this.#firsts = this.#firsts.filter(({ atMs }) => atMs >= fromMs);
    const values = this.#firsts.map((first) => first.ttftMs);
    let inFlight = 0;
    for (const request of feed.inFlight()) {
      const view = request.view();
      if (view.origin !== "real" || view.replica !== replica) continue;
      inFlight++;
      if (view.firstTokenMs === null) {
        const waitedMs = nowMs - view.startedMs;
        if (waitedMs > guards.ttftP95Ms) values.push(waitedMs);
      } else if (view.firstTokenMs >= fromMs) values.push(view.firstTokenMs - view.startedMs);
    }
    return {
      atMs: nowMs,
      ttftP95Ms: percentile(ascending(values), 0.95),
      n: values.length,
      over: values.filter((value) => value > guards.ttftP95Ms).length,
      windowMs: GUARD_WINDOW_MS,
      burnRate: this.#burnRate(nowMs),
      inFlight,
      synthetic: synthetic.now,
      syntheticMax: synthetic.max,
    };
  }

  /** The worst of all promises, where enough requests broke them to tell. */
  #burnRate(nowMs: number): number | null {
    let worst: number | null = null;
    for (const { counts, options } of this.#parts.slos) {
      const tally = counts.window(BURN_WINDOW_MS, nowMs);
      if (tally.valid - tally.good < BAD_MIN) continue;
      const rate = burnRate(tally, options.objective);
      if (rate !== null) worst = Math.max(worst ?? 0, rate);
    }
    return worst;
  }
}

/** The guard that says users come first now, in words; `null` while all hold. */
export function guardFired(reading: GuardReading, guards: SweepGuards): string | null {
  const { ttftP95Ms, n, over, inFlight, windowMs } = reading;
  if (ttftP95Ms !== null && ttftP95Ms > guards.ttftP95Ms && over >= GUARD_OVER_MIN) {
    const what = ttftP95Ms === Infinity ? "requests fail" : `TTFT p95 is ${ms(ttftP95Ms)}`;
    return `real ${what} over the last ${windowMs / 1000} s (n ${n}), the limit is ${ms(guards.ttftP95Ms)}`;
  }
  if (reading.burnRate !== null && reading.burnRate > guards.burnRate)
    return `a promise burns its budget ${reading.burnRate.toFixed(1)} ×, the limit is ${guards.burnRate} ×`;
  if (inFlight > guards.inFlight)
    return `${inFlight} real requests are under way on the replica, the limit is ${guards.inFlight}`;
  return null;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
