/** Step ends remembered, and how long they count: what was late at the start is not late now. */
const WINDOW = 4_096;
const WINDOW_MS = 5_000;
/** Late by more than this at the p99, the timing is the simulation's and not the model's. */
const LIMIT_MS = 20;
/** Fewer steps than this say nothing. */
const STEPS_MIN = 100;

export interface LagView {
  /** Steps the figures are of. */
  readonly steps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Since the start. */
  readonly maxMs: number;
  /** The machine, not the model, decides the times now. */
  readonly isTheLimit: boolean;
}

/** How late the machine hands out what the model has planned, over the last {@link WINDOW_MS}. */
export class Lag {
  readonly #lateMs = new Float32Array(WINDOW);
  readonly #atMs = new Float64Array(WINDOW);
  #count = 0;
  #maxMs = 0;

  /** A step planned for `plannedMs` ended now. */
  observe(plannedMs: number, nowMs: number): void {
    const late = Math.max(0, nowMs - plannedMs);
    const slot = this.#count++ % WINDOW;
    this.#lateMs[slot] = late;
    this.#atMs[slot] = nowMs;
    this.#maxMs = Math.max(this.#maxMs, late);
  }

  view(nowMs: number): LagView {
    const kept = this.#lateMs.subarray(0, Math.min(this.#count, WINDOW));
    const sorted = kept
      .filter((_, slot) => (this.#atMs[slot] ?? 0) >= nowMs - WINDOW_MS)
      .toSorted();
    const steps = sorted.length;
    const at = (share: number): number =>
      sorted[Math.min(steps - 1, Math.floor(share * steps))] ?? 0;
    const p99Ms = at(0.99);
    return {
      steps,
      p50Ms: at(0.5),
      p99Ms,
      maxMs: this.#maxMs,
      isTheLimit: steps >= STEPS_MIN && p99Ms > LIMIT_MS,
    };
  }
}
