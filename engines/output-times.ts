import { OUTPUT_EVENTS_MAX } from "./exchange.ts";

/** Offsets a request usually needs; grown by doubling. */
const OFFSETS_FIRST = 64;

/** Shared by all answers without output events: a typed array costs more than a short answer's whole meter. */
const NONE = new Float64Array(0);

/** Of answers without output events, the same for all. */
export const NO_OFFSETS = new Float32Array(0);

/** When the events that carried output arrived. Bounded: later ones are counted, not kept. */
export class OutputTimes {
  events = 0;
  firstMs: number | null = null;
  lastMs: number | null = null;
  /** The first that was no reasoning. */
  firstAnswerMs: number | null = null;
  #timesMs: Float64Array = NONE;

  /** An event with output arrived, of the answer itself or of the reasoning before it. */
  add(atMs: number, of: "answer" | "reasoning"): void {
    this.firstMs ??= atMs;
    if (of === "answer") this.firstAnswerMs ??= atMs;
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
    if (this.events === 0) return NO_OFFSETS;
    const offsets = new Float32Array(Math.min(this.events, OUTPUT_EVENTS_MAX));
    for (let index = 0; index < offsets.length; index++)
      offsets[index] = (this.#timesMs[index] ?? 0) - startMs;
    return offsets;
  }
}
