import type { Tick, TrafficCell } from "../live/frames.ts";
import { Cell, endedOf, type FrozenCell } from "./cell.ts";
import type { Slot } from "./ladder.ts";
import { breakdownPrefix, partKey, type Population } from "./part.ts";

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
  const frozen = second.cells.get(partKey({ population })) ?? new Cell().freeze();
  const cell = new Cell();
  cell.merge(frozen);
  const itl = cell.sketch("itl").bins();
  const e2e = cell.sketch("e2e").bins();
  return {
    ...cellOf(frozen),
    ...(itl.length === 0 ? {} : { itl }),
    ...(e2e.length === 0 ? {} : { e2e }),
  };
}

function cellOf(frozen: FrozenCell): TrafficCell {
  const cell = new Cell();
  cell.merge(frozen);
  const goodput = {
    good: cell.get("good"),
    slowTtft: cell.get("slowTtft"),
    slowTpot: cell.get("slowTpot"),
    slowBoth: cell.get("slowBoth"),
  };
  return {
    started: cell.get("started"),
    ended: endedOf(cell),
    inputTokens: cell.get("inputTokens"),
    outputTokens: cell.get("outputTokens"),
    inFlight: cell.get("inFlightSum"),
    ttft: cell.sketch("ttft").bins(),
    tpot: cell.sketch("tpot").bins(),
    ...(cell.get("completed") === 0 ? {} : { goodput }),
  };
}
