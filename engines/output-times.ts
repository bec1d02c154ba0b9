import { OUTPUT_EVENTS_MAX } from "./exchange.ts";

/** Offsets a request usually needs; grown by doubling. */
const OFFSETS_FIRST = 64;

/** When the events that carried output arrived. Bounded: later ones are counted, not kept. */
export class OutputTimes {
  events = 0;
  firstMs: number | null = null;
  lastMs: number | null = null;
  #timesMs = new Float64Array(0);

  add(atMs: number): void {
    this.firstMs ??= atMs;
    this.lastMs = atMs;
    const index = this.events++;
    if (index >= OUTPUT_EVENTS_MAX) return;
    if (index === this.#timesMs.length) {
      const grown = new Float64Array(
        Math.min(OUTPUT_EVENTS_MAX, Math.max(OFFSETS_FIRST, index * 2)),
      );
      grown.set(this.#timesMs);
      this.#timesMs = grown;
    }
    this.#timesMs[index] = atMs;
  }

  /** Offsets in ms from `startMs`, at most {@link OUTPUT_EVENTS_MAX}. */
  offsetsMs(startMs: number): Float32Array {
    const kept = this.#timesMs.subarray(0, Math.min(this.events, OUTPUT_EVENTS_MAX));
    return Float32Array.from(kept, (timeMs) => timeMs - startMs);
  }
}
