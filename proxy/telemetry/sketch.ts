import type { Bins } from "../live/frames.ts";

/** Ratio between neighbouring bin borders: a value is known to within (γ − 1)/(γ + 1), just under 1 %. */
export const GAMMA = 1.02;
const LOG_GAMMA = Math.log(GAMMA);
/** Values below are counted as this: a microsecond in ms. */
const VALUE_MIN = 0.001;
/** Bins of values up to about eleven days in ms, so that a sketch has a size that cannot grow. */
const BIN_MIN = Math.ceil(Math.log(VALUE_MIN) / LOG_GAMMA);
const BIN_MAX = Math.ceil(Math.log(1e9) / LOG_GAMMA);

/**
 * Distribution of positive values in logarithmic bins (the idea of DDSketch, Masson et al., VLDB 2019). Merging is adding
 * counts, so percentiles of any window or group come from merged sketches and are never averaged.
 */
export class Sketch {
  count = 0;
  sum = 0;
  readonly #bins = new Map<number, number>();

  /** Takes `weight` equal values. */
  add(value: number, weight = 1): void {
    this.count += weight;
    this.sum += value * weight;
    const bin = binOf(value);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + weight);
  }

  merge(other: Sketch): void {
    this.count += other.count;
    this.sum += other.sum;
    for (const [bin, count] of other.#bins) this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + count);
  }

  /** The value below which a share `q` of the values lies (nearest rank); `null` when there are none. */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (const [bin, count] of this.#sorted()) {
      seen += count;
      if (seen >= rank) return valueOf(bin);
    }
    return null;
  }

  /** How many values are at most `limit`, to within one bin. */
  countUpTo(limit: number): number {
    const last = binOf(limit);
    let seen = 0;
    for (const [bin, count] of this.#bins) if (bin <= last) seen += count;
    return seen;
  }

  /** Sparse form for the wire. */
  bins(): Bins {
    return this.#sorted().flat();
  }

  #sorted(): [number, number][] {
    return [...this.#bins].sort((a, b) => a[0] - b[0]);
  }
}

/** Bin i holds values in (γ^(i−1), γ^i]. */
function binOf(value: number): number {
  const bin = Math.ceil(Math.log(Math.max(value, VALUE_MIN)) / LOG_GAMMA);
  return Math.min(BIN_MAX, Math.max(BIN_MIN, bin));
}

/** The value of a bin with the least relative error at both its borders. */
function valueOf(bin: number): number {
  return (2 * GAMMA ** bin) / (GAMMA + 1);
}
