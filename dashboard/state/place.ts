/** Pages by their path's first part; the empty one is the live page. */
export const PAGES = ["live", "replicas", "requests", "sweeps", "almanac", "plan"] as const;

export type PageName = (typeof PAGES)[number];

/** Spans the range picker offers, in ms, by the word in the address. */
export const RANGES = {
  "5m": 300_000,
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
} as const;

export type RangeName = keyof typeof RANGES;

export const RANGE_DEFAULT: RangeName = "15m";
/** A shorter span holds less than a handful of seconds, and is a slip of the hand. */
const ZOOM_MS_MIN = 3_000;

/** From when until when. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Changes of filters come in bursts; the address is written when they pause. */
const WRITE_MS = 150;

/** Parts of the address that go along from page to page. */
const KEPT = [
  "range",
  "zoom",
  "theme",
  "kiosk",
  "pages",
  "slos",
  "every",
  "dim",
  "utc",
  "token",
  "recording",
] as const;

/**
 * Where the reader is: the address is the whole state, so that a link shows another reader the same. A page change can be
 * gone back on; a filter replaces. Values that make no sense fall back instead of blanking the page.
 */
export class Place extends EventTarget {
  page: PageName = "live";
  /** What the page is about: a replica, a request, a sweep. */
  id: string | null = null;
  query = new URLSearchParams();
  #timer: ReturnType<typeof setTimeout> | null = null;

  start(): void {
    this.#read();
    window.addEventListener("popstate", this.#read);
  }

  stop(): void {
    window.removeEventListener("popstate", this.#read);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  get range(): RangeName {
    const asked = this.query.get("range");
    return asked !== null && asked in RANGES ? (asked as RangeName) : RANGE_DEFAULT;
  }

  /** A span a reader dragged out of a chart, instead of the range; `null` when none, or when it makes no sense. */
  get zoom(): Span | null {
    const [fromMs = Number.NaN, untilMs = Number.NaN] = (this.query.get("zoom") ?? "")
      .split("-")
      .map(Number);
    return fromMs > 0 && untilMs - fromMs >= ZOOM_MS_MIN ? { fromMs, untilMs } : null;
  }

  /** Times as at Greenwich instead of the viewer's own. */
  get isUtc(): boolean {
    return this.query.get("utc") === "1";
  }

  get isKiosk(): boolean {
    return this.query.get("kiosk") === "1";
  }

  /** Goes to a page; range and the like go along, a page's own filters do not. */
  go(
    page: PageName,
    id: string | null = null,
    filters: Readonly<Record<string, string>> = {},
  ): void {
    this.page = page;
    this.id = id;
    this.query = this.#kept(filters);
    history.pushState(null, "", this.#address());
    this.#changed();
  }

  /** Turns to a page, and there to one promise, without leaving a step to go back on: nobody pressed anything. */
  turnTo(page: PageName, slo: string | null): void {
    this.page = page;
    this.id = null;
    this.query.delete("open");
    this.set("slo", slo);
  }

  /** Looks closer at a span of time; `null` goes back to the range. */
  zoomTo(span: Span | null): void {
    this.set(
      "zoom",
      span === null ? null : `${Math.floor(span.fromMs)}-${Math.ceil(span.untilMs)}`,
    );
  }

  /** Sets or, with `null`, clears a part of the query. */
  set(name: string, value: string | null): void {
    if (value === null) this.query.delete(name);
    else this.query.set(name, value);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      history.replaceState(null, "", this.#address());
    }, WRITE_MS);
    this.#changed();
  }

  /** The address of a page, for links: what {@link go} takes along is in it, or a new tab would be another board. */
  href(page: PageName, id: string | null = null): string {
    return addressOf(page, id, this.#kept());
  }

  /** What a click on a link does: it goes there in this tab, unless another tab or window is asked for. */
  follow(event: MouseEvent, page: PageName, id: string | null = null): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.go(page, id);
  }

  readonly #read = (): void => {
    const [first = "", ...rest] = location.pathname.split("/").filter((part) => part !== "");
    this.page = PAGES.find((page) => page === first) ?? "live";
    this.id = rest.length === 0 ? null : decode(rest.join("/"));
    this.query = new URLSearchParams(location.search);
    this.#changed();
  };

  #address(): string {
    return addressOf(this.page, this.id, this.query);
  }

  /** What goes along to another page, on top of its filters. */
  #kept(filters: Readonly<Record<string, string>> = {}): URLSearchParams {
    const query = new URLSearchParams(filters);
    for (const name of KEPT) {
      const value = this.query.get(name);
      if (value !== null) query.set(name, value);
    }
    return query;
  }

  #changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}

function addressOf(page: PageName, id: string | null, query: URLSearchParams): string {
  const path = page === "live" ? "/" : `/${page}`;
  const text = query.toString();
  return `${path}${id === null ? "" : `/${encodeURIComponent(id)}`}${text === "" ? "" : `?${text}`}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The one place of the page. */
export const place = new Place();
