import type { Bins } from "../../proxy/live/frames.ts";

/** A distribution put together from the sparse sketches of many seconds. */
export class Distribution {
  count = 0;
  readonly #gamma: number;
  readonly #bins = new Map<number, number>();
  /** In order, for the quantiles asked for between two changes. */
  #sorted: readonly (readonly [bin: number, count: number])[] | null = null;

  constructor(gamma: number) {
    this.#gamma = gamma;
  }

  merge(bins: Bins): void {
    for (let index = 0; index + 1 < bins.length; index += 2) {
      const bin = bins[index] ?? 0;
      const count = bins[index + 1] ?? 0;
      this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + count);
      this.count += count;
    }
    this.#sorted = null;
  }

  /** Takes out again what was merged before. */
  remove(bins: Bins): void {
    for (let index = 0; index + 1 < bins.length; index += 2) {
      const bin = bins[index] ?? 0;
      const count = bins[index + 1] ?? 0;
      const left = (this.#bins.get(bin) ?? 0) - count;
      if (left > 0) this.#bins.set(bin, left);
      else this.#bins.delete(bin);
      this.count -= count;
    }
    this.#sorted = null;
  }

  /** Takes in another distribution of the same gamma. */
  add(other: Distribution): void {
    for (const [bin, count] of other.#bins) this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + count);
    this.count += other.count;
    this.#sorted = null;
  }

  /** The value below which a share `q` lies; `null` without values. */
  quantile(q: number): number | null {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    this.#sorted ??= [...this.#bins].sort((a, b) => a[0] - b[0]);
    for (const [bin, count] of this.#sorted) {
      seen += count;
      if (seen >= rank) return valueOf(bin, this.#gamma);
    }
    return null;
  }

  /** Each bin's middle value and count. */
  *entries(): Iterable<readonly [number, number]> {
    for (const [bin, count] of this.#bins) yield [valueOf(bin, this.#gamma), count];
  }
}

/** A bin's value with the least relative error at both its borders. */
export function valueOf(bin: number, gamma: number): number {
  return (2 * gamma ** bin) / (gamma + 1);
}
