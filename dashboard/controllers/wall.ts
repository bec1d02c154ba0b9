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

/** One thing a wall shows for a while: a page, and on the live page one promise where some were chosen. */
interface Stop {
  readonly page: PageName;
  readonly slo: string | null;
}

/** What a wall turns through: `pages=live,replicas`, and `slos=all` or their names for one promise after the other. */
export function wallStops(query: URLSearchParams, known: readonly string[]): readonly Stop[] {
  const asked = (query.get("slos") ?? "").split(",");
  const slos = asked.includes("all") ? known : known.filter((name) => asked.includes(name));
  const pages = wallPages(query);
  const shown: readonly PageName[] = pages.length === 0 ? ["live"] : pages;
  return shown.flatMap((page): Stop[] =>
    page === "live" && slos.length > 0 ? slos.map((slo) => ({ page, slo })) : [{ page, slo: null }],
  );
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
  /** Names of the promises there are, the worst first. */
  readonly #slos: () => readonly string[];
  #shift = 0;
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(place: Place, slos: () => readonly string[], changed: () => void) {
    this.#place = place;
    this.#slos = slos;
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
    const { page, query } = this.#place;
    const stops = wallStops(query, this.#slos());
    const at = stops.findIndex((stop) => stop.page === page && stop.slo === query.get("slo"));
    const next = stops[(at + 1) % stops.length];
    if (next !== undefined && stops.length > 1) this.#place.turnTo(next.page, next.slo);
  };
}
