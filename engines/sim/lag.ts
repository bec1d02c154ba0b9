/** Step ends remembered: half a minute of fast decoding. */
const WINDOW = 4_096;
/** Late by more than this at the p99, the timing is the simulation's and not the model's. */
const LIMIT_MS = 20;
/** Fewer steps than this say nothing. */
const STEPS_MIN = 100;

export interface LagView {
  readonly steps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The machine, not the model, decides the times now. */
  readonly isTheLimit: boolean;
}

/** How late the machine hands out what the model has planned, over the last {@link WINDOW} steps. */
export class Lag {
  readonly #lateMs = new Float32Array(WINDOW);
  #count = 0;
  #maxMs = 0;

  observe(lateMs: number): void {
    const late = Math.max(0, lateMs);
    this.#lateMs[this.#count++ % WINDOW] = late;
    this.#maxMs = Math.max(this.#maxMs, late);
  }

  view(): LagView {
    const steps = Math.min(this.#count, WINDOW);
    const sorted = this.#lateMs.slice(0, steps).toSorted();
    const at = (share: number): number =>
      sorted[Math.min(steps - 1, Math.floor(share * steps))] ?? 0;
    const p99Ms = at(0.99);
    return {
      steps: this.#count,
      p50Ms: at(0.5),
      p99Ms,
      maxMs: this.#maxMs,
      isTheLimit: steps >= STEPS_MIN && p99Ms > LIMIT_MS,
    };
  }
}
