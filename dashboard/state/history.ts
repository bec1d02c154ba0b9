import type { SeriesAnswer, SeriesName } from "../../proxy/telemetry/series.ts";
import type { Population } from "../../proxy/telemetry/part.ts";
import { type Loaded, LOADING, load } from "./api.ts";
import type { ChartWindow } from "./chart-window.ts";
import type { LiveStore } from "./live-store.ts";

/** A long range moves slowly: asked for again this often, and no more often than its points change. */
const REFRESH_MS_MIN = 5_000;

/** What is asked for. */
export interface HistoryQuery {
  readonly metric: SeriesName;
  readonly origin: Population;
  readonly window: ChartWindow;
  readonly replica: string | null;
  readonly bins: boolean;
}

/** Keeps one series of a long range fresh while somebody looks at it. */
export class History {
  answer: Loaded<SeriesAnswer> = LOADING;
  readonly #changed: () => void;
  readonly #store: LiveStore;
  /** What is being asked; empty when nothing is. */
  #asked = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stop = new AbortController();

  constructor(store: LiveStore, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  /** Asks for a series from now on; `null` stops asking. */
  ask(query: HistoryQuery | null): void {
    const key = query === null ? "" : pathOf(query);
    if (key === this.#asked) return;
    this.stop();
    this.#asked = key;
    this.answer = LOADING;
    if (query !== null) void this.#refresh(query);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#asked = "";
  }

  async #refresh(query: HistoryQuery): Promise<void> {
    const { signal } = this.#stop;
    if (this.#store.pausedAtMs === null || this.answer.kind !== "ready") {
      const answer = await load<SeriesAnswer>(pathOf(query), signal);
      if (signal.aborted) return;
      this.answer = answer;
      this.#changed();
    }
    // What is over does not change any more.
    if (query.window.isZoom && this.answer.kind === "ready") return;
    const stepMs = this.answer.kind === "ready" ? this.answer.value.stepMs : 0;
    this.#timer = setTimeout(() => void this.#refresh(query), Math.max(REFRESH_MS_MIN, stepMs));
  }
}

function pathOf({ metric, origin, window, replica, bins }: HistoryQuery): string {
  const { fromMs, untilMs, words, isZoom } = window;
  const by = replica === null ? "none" : "replica";
  const span = isZoom ? `${Math.round((untilMs - fromMs) / 1_000)}s&until=${untilMs}` : words;
  return `/series?metric=${metric}&origin=${origin}&window=${span}&by=${by}&bins=${bins ? 1 : 0}`;
}
