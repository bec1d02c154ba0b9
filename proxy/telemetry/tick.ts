import type { Tick, TrafficCell } from "../live/frames.ts";
import {
  binsOf,
  Cell,
  type CounterName,
  countOf,
  endedOf,
  errorsOf,
  type FrozenCell,
  goodputOf,
} from "./cell.ts";
import type { Slot } from "./ladder.ts";
import { breakdownPrefix, partKey, type Population } from "./part.ts";

const EMPTY = new Cell().freeze();

/** A closed second as viewers get it. */
export function tickOf(second: Slot): Tick {
  const byReplica: Record<string, { real?: TrafficCell; synthetic?: TrafficCell }> = {};
  for (const population of ["real", "synthetic"] as const) {
    const prefix = breakdownPrefix(population, "replica");
    for (const [part, cell] of second.cells) {
      if (part.startsWith(prefix))
        (byReplica[part.slice(prefix.length)] ??= {})[population] = cellOf(cell);
    }
  }
  return {
    atMs: second.startMs,
    real: totalOf(second, "real"),
    synthetic: totalOf(second, "synthetic"),
    byReplica,
  };
}

function totalOf(second: Slot, population: Population): TrafficCell {
  const cell = second.cells.get(partKey({ population })) ?? EMPTY;
  const itl = binsOf(cell, "itl");
  const e2e = binsOf(cell, "e2e");
  return {
    ...cellOf(cell),
    ...(itl.length === 0 ? {} : { itl }),
    ...(e2e.length === 0 ? {} : { e2e }),
  };
}

function cellOf(cell: FrozenCell): TrafficCell {
  const counts = { get: (name: CounterName) => countOf(cell, name) };
  const ended = endedOf(counts);
  return {
    started: countOf(cell, "started"),
    ended,
    inputTokens: countOf(cell, "inputTokens"),
    outputTokens: countOf(cell, "outputTokens"),
    inFlight: countOf(cell, "inFlightSum"),
    ttft: binsOf(cell, "ttft"),
    tpot: binsOf(cell, "tpot"),
    ...(ended.completed === undefined ? {} : { goodput: goodputOf(counts) }),
    ...(ended.failed === undefined && ended.cut === undefined ? {} : { errors: errorsOf(counts) }),
  };
}

/** Seconds by replica that viewers are given at once: ten minutes of six replicas, a minute of sixty. */
export const REPLICA_CELLS_MAX = 3_600;
const TICKS_MAX = 900;

/** The last ticks, made once each. Older ones lose their breakdown, so that a wide fleet's snapshot stays small. */
export class RecentTicks {
  readonly #ticks: Tick[] = [];
  #cells = 0;
  /** Ticks before this index have no breakdown any more. */
  #thinned = 0;

  push(tick: Tick): void {
    this.#ticks.push(tick);
    this.#cells += Object.keys(tick.byReplica).length;
    if (this.#ticks.length > TICKS_MAX) {
      this.#thin(0);
      this.#ticks.shift();
      this.#thinned = Math.max(0, this.#thinned - 1);
    }
    while (this.#cells > REPLICA_CELLS_MAX && this.#thinned < this.#ticks.length - 1)
      this.#thin(this.#thinned++);
  }

  /** Oldest first. */
  all(): readonly Tick[] {
    return this.#ticks;
  }

  #thin(index: number): void {
    const tick = this.#ticks[index];
    if (tick === undefined) return;
    this.#cells -= Object.keys(tick.byReplica).length;
    this.#ticks[index] = { ...tick, byReplica: {} };
  }
}
