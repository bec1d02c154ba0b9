import { bytesOf, Cell, type FrozenCell, mergeCells } from "./cell.ts";

/** Cells of one slot of time by the part of the traffic they count; see `partKey`. */
export type SlotCells = ReadonlyMap<string, FrozenCell>;

/** A closed slot. */
export interface Slot {
  /** Aligned: a whole multiple of its level's length. */
  readonly startMs: number;
  readonly cells: SlotCells;
}

interface LevelShape {
  readonly lengthMs: number;
  readonly slotsMax: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** From a quarter of an hour of seconds to 30 days of hours. Each length is a multiple of the one before. */
export const levels: readonly LevelShape[] = [
  { lengthMs: SECOND_MS, slotsMax: 900 },
  { lengthMs: 10 * SECOND_MS, slotsMax: 2_160 },
  { lengthMs: MINUTE_MS, slotsMax: 1_440 },
  { lengthMs: 10 * MINUTE_MS, slotsMax: 1_008 },
  { lengthMs: HOUR_MS, slotsMax: 720 },
];

/** All levels together; a fleet too wide for it keeps its breakdowns for a shorter time, its totals always. */
export const HISTORY_BYTES_MAX = 128 * 1_048_576;
/** A key with this prefix is the whole of a population and is never given up for room. */
export const WHOLE_PREFIX = "*";

class Level {
  readonly shape: LevelShape;
  readonly slots: Slot[] = [];
  bytes = 0;
  /** Slots before this index have already given up their breakdowns. */
  thinned = 0;
  openStartMs: number | null = null;
  readonly open = new Map<string, FrozenCell>();

  constructor(shape: LevelShape) {
    this.shape = shape;
  }
}

/**
 * History at five resolutions. A closed second is merged into the open slot above it, and so on upwards, so a coarse slot
 * is exactly the sum of its seconds. Bounded in slots and in bytes.
 */
export class Ladder {
  readonly #levels = levels.map((shape) => new Level(shape));
  readonly #bytesMax: number;
  /** Told of each slot that closes, for keeping. */
  readonly #onClosed: (level: number, slot: Slot) => void;

  constructor(
    bytesMax: number = HISTORY_BYTES_MAX,
    onClosed: (level: number, slot: Slot) => void = () => {},
  ) {
    this.#bytesMax = bytesMax;
    this.#onClosed = onClosed;
  }

  get bytes(): number {
    return this.#levels.reduce((sum, level) => sum + level.bytes, 0);
  }

  /** Takes the next closed second. */
  push(second: Slot): void {
    this.#close(0, second);
    this.#keepWithin();
  }

  /**
   * Takes back slots kept from an earlier run, by level and oldest first. What a level had not handed up when that run
   * ended is handed up now, so no second is missing from the coarse levels.
   */
  restore(kept: readonly (readonly Slot[])[], nowMs: number): void {
    for (const [index, level] of this.#levels.entries()) {
      const sinceMs = nowMs - level.shape.lengthMs * level.shape.slotsMax;
      for (const slot of kept[index] ?? [])
        if (slot.startMs >= sinceMs && slot.startMs < nowMs) this.#append(level, slot);
      const below = this.#levels[index - 1];
      if (below !== undefined) this.#catchUp(below, index, nowMs);
    }
    this.#keepWithin();
  }

  /** Every closed slot, finest level first and oldest first within it. */
  each(visit: (level: number, slot: Slot) => void): void {
    for (const [index, level] of this.#levels.entries())
      for (const slot of level.slots) visit(index, slot);
  }

  /** The last seconds, oldest first. */
  seconds(): readonly Slot[] {
    return this.#levels[0]?.slots ?? [];
  }

  /** One part of the traffic from `fromMs` to now: the finest level that reaches so far back, and every slot still open below. */
  window(part: string, fromMs: number, nowMs: number): Cell {
    const cell = new Cell();
    for (const slot of this.#since(this.#levelFor(nowMs - fromMs), fromMs)) {
      const found = slot.cells.get(part);
      if (found !== undefined) cell.merge(found);
    }
    return cell;
  }

  /** Slots covering a window at a resolution of at least `stepMs`, oldest first, the open ones last. */
  slots(windowMs: number, fromMs: number): readonly Slot[] {
    return this.#since(this.#levelFor(windowMs), fromMs);
  }

  /** Length of the slots a window is answered with. */
  stepMs(windowMs: number): number {
    return this.#levelFor(windowMs).shape.lengthMs;
  }

  #levelFor(windowMs: number): Level {
    const fits = this.#levels.find(
      ({ shape }) => shape.lengthMs * shape.slotsMax >= windowMs - shape.lengthMs,
    );
    return fits ?? (this.#levels.at(-1) as Level);
  }

  #since(level: Level, fromMs: number): Slot[] {
    const slots = level.slots.filter((slot) => slot.startMs >= fromMs);
    // What the finer levels have not handed up yet belongs to the same window, coarsest first.
    for (let index = this.#levels.indexOf(level); index >= 0; index--) {
      const open = this.#levels[index];
      if (open?.openStartMs === undefined || open.openStartMs === null) continue;
      if (open.openStartMs >= fromMs) slots.push({ startMs: open.openStartMs, cells: open.open });
    }
    return slots;
  }

  #close(index: number, slot: Slot): void {
    const level = this.#levels[index];
    if (level === undefined) return;
    this.#append(level, slot);
    this.#onClosed(index, slot);
    const above = this.#levels[index + 1];
    if (above === undefined) return;
    const startMs = floorTo(slot.startMs, above.shape.lengthMs);
    if (above.openStartMs !== null && above.openStartMs !== startMs) this.#closeOpen(index + 1);
    this.#mergeInto(above, slot);
    // A slot that is complete is closed at once, not when the next one begins.
    if (slot.startMs + level.shape.lengthMs === startMs + above.shape.lengthMs)
      this.#closeOpen(index + 1);
  }

  #closeOpen(index: number): void {
    const slot = this.#takeOpen(index);
    if (slot !== null) this.#close(index, slot);
  }

  /** Slots of the level below that came after this level's last closed one. */
  #catchUp(below: Level, index: number, nowMs: number): void {
    const level = this.#levels[index] as Level;
    const { lengthMs } = level.shape;
    const closedMs = (level.slots.at(-1)?.startMs ?? -Infinity) + lengthMs;
    for (const slot of below.slots) {
      if (slot.startMs < closedMs) continue;
      const startMs = floorTo(slot.startMs, lengthMs);
      if (level.openStartMs !== null && level.openStartMs !== startMs) this.#settle(index);
      this.#mergeInto(level, slot);
    }
    if (level.openStartMs !== null && level.openStartMs + lengthMs <= nowMs) this.#settle(index);
  }

  /** Closes an open slot without handing it up: while restoring the level above asks for it itself. */
  #settle(index: number): void {
    const slot = this.#takeOpen(index);
    if (slot === null) return;
    this.#append(this.#levels[index] as Level, slot);
    this.#onClosed(index, slot);
  }

  #takeOpen(index: number): Slot | null {
    const level = this.#levels[index];
    if (level === undefined || level.openStartMs === null) return null;
    const slot = { startMs: level.openStartMs, cells: new Map(level.open) };
    level.openStartMs = null;
    level.open.clear();
    return slot;
  }

  #mergeInto(level: Level, slot: Slot): void {
    level.openStartMs ??= floorTo(slot.startMs, level.shape.lengthMs);
    for (const [part, cell] of slot.cells) {
      const held = level.open.get(part);
      level.open.set(part, held === undefined ? cell : mergeCells(held, cell));
    }
  }

  #append(level: Level, slot: Slot): void {
    level.slots.push(slot);
    level.bytes += slotBytes(slot);
    if (level.slots.length <= level.shape.slotsMax) return;
    const oldest = level.slots.shift();
    if (oldest !== undefined) level.bytes -= slotBytes(oldest);
    level.thinned = Math.max(0, level.thinned - 1);
  }

  /** Over the limit the largest level's oldest breakdowns go first. */
  #keepWithin(): void {
    while (this.bytes > this.#bytesMax) {
      const largest = this.#levels
        .filter((level) => level.thinned < level.slots.length)
        .toSorted((a, b) => b.bytes - a.bytes)[0];
      const slot = largest?.slots[largest.thinned];
      if (largest === undefined || slot === undefined) return;
      const cells = new Map([...slot.cells].filter(([part]) => part.startsWith(WHOLE_PREFIX)));
      const thin = { startMs: slot.startMs, cells };
      largest.bytes += slotBytes(thin) - slotBytes(slot);
      largest.slots[largest.thinned++] = thin;
    }
  }
}

/** The multiple of `step` at or below. */
export function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

function slotBytes(slot: Slot): number {
  let bytes = 200;
  for (const cell of slot.cells.values()) bytes += 100 + bytesOf(cell);
  return bytes;
}
