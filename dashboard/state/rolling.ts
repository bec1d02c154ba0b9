import type { Tick, TrafficCell } from "../../proxy/live/frames.ts";
import type { ErrorKind } from "../../proxy/telemetry/error-kind.ts";
import { Distribution } from "./bins.ts";
import { addErrors } from "./error-words.ts";

/** What one replica, or the fleet, did for its users over the last seconds. */
export class Tally {
  ended = 0;
  failed = 0;
  cut = 0;
  outputTokens = 0;
  /** What failed or was cut, by kind. */
  readonly errors: Partial<Record<ErrorKind, number>> = {};
  /** Seconds with traffic that are counted in. */
  cells = 0;
  readonly ttft: Distribution;
  readonly tpot: Distribution;

  constructor(gamma: number) {
    this.ttft = new Distribution(gamma);
    this.tpot = new Distribution(gamma);
  }

  add(cell: TrafficCell): void {
    this.#count(cell, 1);
    this.ttft.merge(cell.ttft);
    this.tpot.merge(cell.tpot);
  }

  remove(cell: TrafficCell): void {
    this.#count(cell, -1);
    this.ttft.remove(cell.ttft);
    this.tpot.remove(cell.tpot);
  }

  #count({ ended, outputTokens, errors }: TrafficCell, sign: 1 | -1): void {
    if (errors !== undefined) addErrors(this.errors, errors, sign);
    this.cells += sign;
    this.outputTokens += sign * outputTokens;
    this.failed += sign * (ended.failed ?? 0);
    this.cut += sign * (ended.cut ?? 0);
    for (const count of Object.values(ended)) this.ended += sign * count;
  }
}

/**
 * Real traffic over the last seconds, of the fleet and of each replica. A second comes in, the oldest goes out: with 64
 * replicas that is a hundredth of the work of adding five minutes up anew for every frame.
 */
export class Rolling {
  readonly #seconds: number;
  #gamma = 1;
  #ticks: Tick[] = [];
  fleet = new Tally(1);
  readonly byReplica = new Map<string, Tally>();

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** How many seconds are counted in. */
  get seconds(): number {
    return this.#ticks.length;
  }

  reset(gamma: number, ticks: readonly Tick[]): void {
    this.#gamma = gamma;
    this.#ticks = [];
    this.fleet = new Tally(gamma);
    this.byReplica.clear();
    for (const tick of ticks.slice(-this.#seconds)) this.push(tick);
  }

  push(tick: Tick): void {
    this.#ticks.push(tick);
    this.fleet.add(tick.real);
    for (const [id, { real }] of Object.entries(tick.byReplica)) {
      if (real === undefined) continue;
      const tally = this.byReplica.get(id) ?? new Tally(this.#gamma);
      this.byReplica.set(id, tally);
      tally.add(real);
    }
    const oldest = this.#ticks.length > this.#seconds ? this.#ticks.shift() : undefined;
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(tick: Tick): void {
    this.fleet.remove(tick.real);
    for (const [id, { real }] of Object.entries(tick.byReplica)) {
      const tally = this.byReplica.get(id);
      if (real === undefined || tally === undefined) continue;
      tally.remove(real);
      if (tally.cells === 0) this.byReplica.delete(id);
    }
  }
}
