import { PAGES, type PageName, type Place } from "../state/place.ts";

/** Shifts the whole page by a few pixels now and then, so that a wall screen burns nothing in. */
const SHIFT_MS = 60_000;
const SHIFTS_PX = [
  [0, 0],
  [3, 1],
  [1, 3],
  [-2, 2],
  [-3, -1],
] as const;
/** How long a page stays, unless `every=` says otherwise: long enough to be read from four metres. */
const EVERY_S_DEFAULT = 20;
const EVERY_S_MIN = 2;
const EVERY_S_MAX = 3_600;

/** The pages a wall turns through, in the order asked for; names that make no sense are left out. */
export function wallPages(query: URLSearchParams): readonly PageName[] {
  const asked = (query.get("pages") ?? "").split(",");
  return asked.flatMap((name) => PAGES.find((page) => page === name) ?? []);
}

/** Whether `dim=22-7` makes the screen dark at this hour of the viewer's day. */
export function isDim(query: URLSearchParams, hour: number): boolean {
  const [, from, until] = /^(\d{1,2})-(\d{1,2})$/.exec(query.get("dim") ?? "") ?? [];
  if (from === undefined || until === undefined) return false;
  const [start, end] = [Number(from), Number(until)];
  return start <= end ? hour >= start && hour < end : hour >= start || hour < end;
}

/** A screen on a wall: it stays awake, burns nothing in, turns its pages by itself, and is dark at night. */
export class Wall {
  readonly #place: Place;
  readonly #changed: () => void;
  #shift = 0;
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(place: Place, changed: () => void) {
    this.#place = place;
    this.#changed = changed;
  }

  start(): void {
    // Without the right to it the screen sleeps as it always does.
    void navigator.wakeLock?.request("screen").catch(() => {});
    const shift = setInterval(() => {
      this.#shift++;
      this.#changed();
    }, SHIFT_MS);
    this.#timers.push(shift);
    if (wallPages(this.#place.query).length > 1)
      this.#timers.push(setInterval(this.#turn, this.#everyMs()));
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }

  /** How the page stands at this moment. */
  style(): string {
    const [x, y] = SHIFTS_PX[this.#shift % SHIFTS_PX.length] ?? [0, 0];
    const dim = isDim(this.#place.query, new Date().getHours()) ? "; filter: brightness(0.4)" : "";
    return `transform: translate(${x}px, ${y}px)${dim}`;
  }

  #everyMs(): number {
    const asked = Number(this.#place.query.get("every") ?? EVERY_S_DEFAULT);
    const seconds = Number.isFinite(asked) ? asked : EVERY_S_DEFAULT;
    return Math.min(EVERY_S_MAX, Math.max(EVERY_S_MIN, seconds)) * 1_000;
  }

  readonly #turn = (): void => {
    const pages = wallPages(this.#place.query);
    const next = pages[(pages.indexOf(this.#place.page) + 1) % pages.length];
    if (next !== undefined) this.#place.turnTo(next);
  };
}
