import type { Bins } from "../../proxy/live/frames.ts";

/** Bins made room for at once: latencies of one population lie within a few hundred. */
const ROOM = 64;

/**
 * A distribution put together from the sparse sketches of many seconds. Its bins lie side by side, from the lowest to the
 * highest seen: adding is one step a bin, and no quantile needs sorting.
 */
export class Distribution {
  count = 0;
  readonly #gamma: number;
  /** The bin of the first of {@link #counts}. */
  #low = 0;
  #counts = new Int32Array(0);

  constructor(gamma: number) {
    this.#gamma = gamma;
  }

  merge(bins: Bins): void {
    this.#addAll(bins, 1);
  }

  /** Takes out again what was merged before. */
  remove(bins: Bins): void {
    this.#addAll(bins, -1);
  }

  /** Takes in another distribution of the same gamma. */
  add(other: Distribution): void {
    const counts = other.#counts;
    if (counts.length === 0) return;
    this.#reach(other.#low, other.#low + counts.length - 1);
    const shift = other.#low - this.#low;
    for (let at = 0; at < counts.length; at++) this.#bump(at + shift, counts[at] ?? 0);
    this.count += other.count;
  }

  /** The value below which a share `q` lies; `null` without values. */
  quantile(q: number): number | null {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let at = 0; at < this.#counts.length; at++) {
      seen += this.#counts[at] ?? 0;
      if (seen >= rank) return valueOf(this.#low + at, this.#gamma);
    }
    return null;
  }

  /** Each bin's middle value and count. */
  *[Symbol.iterator](): Iterator<readonly [value: number, count: number]> {
    for (const [at, count] of this.#counts.entries())
      if (count > 0) yield [valueOf(this.#low + at, this.#gamma), count];
  }

  #addAll(bins: Bins, sign: 1 | -1): void {
    if (bins.length < 2) return;
    this.#reach(bins[0] ?? 0, bins.at(-2) ?? 0);
    for (let index = 0; index + 1 < bins.length; index += 2) {
      const count = sign * (bins[index + 1] ?? 0);
      this.#bump((bins[index] ?? 0) - this.#low, count);
      this.count += count;
    }
  }

  #bump(at: number, count: number): void {
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  /** Makes room for the bins from `low` to `high`. */
  #reach(low: number, high: number): void {
    const { length } = this.#counts;
    if (length > 0 && low >= this.#low && high < this.#low + length) return;
    const from = length === 0 ? low : Math.min(low, this.#low);
    const until = length === 0 ? high : Math.max(high, this.#low + length - 1);
    const room = new Int32Array(Math.ceil((until - from + 1) / ROOM) * ROOM);
    if (length > 0) room.set(this.#counts, this.#low - from);
    this.#low = from;
    this.#counts = room;
  }
}

/** A bin's value with the least relative error at both its borders. */
export function valueOf(bin: number, gamma: number): number {
  return (2 * gamma ** bin) / (gamma + 1);
}
