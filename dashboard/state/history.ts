import type { SeriesAnswer, SeriesName } from "../../proxy/telemetry/series.ts";
import { type Loaded, LOADING, load } from "./api.ts";
import type { LiveStore } from "./live-store.ts";
import { RANGES, type RangeName } from "./place.ts";

/** Ranges up to here are drawn from the frames the board has; longer ones are asked for. */
export const LIVE_MS_MAX = 900_000;
/** A long range moves slowly: asked for again this often, and no more often than its points change. */
const REFRESH_MS_MIN = 5_000;

/** What is asked for. */
export interface HistoryQuery {
  readonly metric: SeriesName;
  readonly range: RangeName;
  readonly replica: string | null;
  readonly bins: boolean;
}

/** Keeps one series of a long range fresh while somebody looks at it. */
export class History {
  answer: Loaded<SeriesAnswer> = LOADING;
  readonly #changed: () => void;
  readonly #store: LiveStore;
  #query: HistoryQuery | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stop = new AbortController();

  constructor(store: LiveStore, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  /** Asks for a series from now on; `null` stops asking. */
  ask(query: HistoryQuery | null): void {
    if (JSON.stringify(query) === JSON.stringify(this.#query)) return;
    this.stop();
    this.#query = query;
    this.answer = LOADING;
    if (query !== null) void this.#refresh(query);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#query = null;
  }

  async #refresh(query: HistoryQuery): Promise<void> {
    const { metric, range, replica, bins } = query;
    const by = replica === null ? "none" : "replica";
    const { signal } = this.#stop;
    const path = `/series?metric=${metric}&window=${range}&by=${by}&bins=${bins ? 1 : 0}`;
    if (this.#store.pausedAtMs === null || this.answer.kind !== "ready") {
      const answer = await load<SeriesAnswer>(path, signal);
      if (signal.aborted) return;
      this.answer = answer;
      this.#changed();
    }
    const stepMs = this.answer.kind === "ready" ? this.answer.value.stepMs : RANGES[range] / 400;
    this.#timer = setTimeout(() => void this.#refresh(query), Math.max(REFRESH_MS_MIN, stepMs));
  }
}
