import type { FrozenCell } from "../../proxy/telemetry/cell.ts";
import { mergeCells } from "../../proxy/telemetry/cell.ts";
import { floorTo, levels, type Slot, type SlotCells } from "../../proxy/telemetry/ladder.ts";

const SECOND_MS = 1_000;

/**
 * History that is full at every level as of `nowMs`: the given seconds again and again. It is bounded, but the hours of it
 * fill for a month; begun empty, it would grow all through a run that looks for leaks. A slot longer than the given seconds
 * holds them once: what counts here is that it is as large as the one that will replace it.
 */
export function fullHistory(seconds: readonly Slot[], nowMs: number): readonly (readonly Slot[])[] {
  return levels.map(({ lengthMs, slotsMax }) => {
    const slots = inSlots(seconds, lengthMs / SECOND_MS);
    const endMs = floorTo(nowMs, lengthMs);
    return Array.from({ length: slotsMax }, (_, index) => ({
      startMs: endMs - (slotsMax - index) * lengthMs,
      cells: copyOf(slots[index % slots.length] as SlotCells),
    }));
  });
}

/** The seconds merged, so many at a time. */
function inSlots(seconds: readonly Slot[], length: number): readonly SlotCells[] {
  const slots: SlotCells[] = [];
  for (let at = 0; at < seconds.length; at += length) {
    const merged = new Map<string, FrozenCell>();
    for (const { cells } of seconds.slice(at, at + length))
      for (const [part, cell] of cells) {
        const held = merged.get(part);
        merged.set(part, held === undefined ? cell : mergeCells(held, cell));
      }
    slots.push(merged);
  }
  return slots;
}

/** Memory of its own, made as the telemetry makes it. */
function copyOf(cells: SlotCells): SlotCells {
  const copies = [...cells].map(([part, { counts, sketches }]) => {
    const own = sketches.map((sketch) => sketch && { ...sketch, pairs: sketch.pairs.slice() });
    return [part, { counts: counts.slice(), sketches: own }] as const;
  });
  return new Map(copies);
}
