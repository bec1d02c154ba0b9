import type { Bins } from "../live/frames.ts";

/**
 * Bins double this many times a factor of two: the bins are those of an OpenTelemetry exponential histogram of this scale
 * and of a Prometheus native histogram of this schema, shifted by one (their bucket k is bin k + 1).
 */
export const SCALE = 6;
/** Ratio between neighbouring bin borders: a value is known to within (γ − 1)/(γ + 1), 0.54 %. */
export const GAMMA = 2 ** (2 ** -SCALE);
const BINS_PER_DOUBLING = 2 ** SCALE;
/**
 * Sketches count milliseconds, Prometheus and OpenTelemetry want seconds: a factor of 1 000 is 637.8 bins. Moved by whole
 * bins a value is told 0.2 % small, within what a bin leaves open anyway.
 */
export const MS_TO_SECONDS_BINS = Math.round(Math.log2(1_000) * BINS_PER_DOUBLING);
/** Values below are counted as this: a microsecond in ms. */
const VALUE_MIN = 0.001;
/** Bins of values up to about eleven days in ms, so that a sketch has a size that cannot grow. */
const BIN_MIN = Math.ceil(Math.log2(VALUE_MIN) * BINS_PER_DOUBLING);
const BIN_MAX = Math.ceil(Math.log2(1e9) * BINS_PER_DOUBLING);
/** Room left on each side when the counted range grows, so that neighbours do not grow it again. */
const SLACK_BINS = 24;
const EMPTY = new Float64Array(0);

/** A sketch at rest: `[bin, count, bin, count, …]`, bins ascending. Never changed once made. */
export interface FrozenSketch {
  readonly count: number;
  readonly sum: number;
  readonly pairs: Int32Array;
}

/**
 * Distribution of positive values in logarithmic bins (the idea of DDSketch, Masson et al., VLDB 2019). Merging is adding
 * counts, so percentiles of any window or group come from merged sketches and are never averaged.
 */
export class Sketch {
  count = 0;
  sum = 0;
  /** Bin of the first element of {@link #counts}. */
  #first = 0;
  #counts = EMPTY;

  static of(frozen: FrozenSketch): Sketch {
    const sketch = new Sketch();
    sketch.merge(frozen);
    return sketch;
  }

  /** Takes `weight` equal values. */
  add(value: number, weight = 1): void {
    this.sum += value * weight;
    this.#addBin(binOf(value), weight);
  }

  merge(other: Sketch | FrozenSketch): void {
    this.sum += other.sum;
    if (other instanceof Sketch) {
      for (let index = 0; index < other.#counts.length; index++) {
        const count = other.#counts[index] ?? 0;
        if (count > 0) this.#addBin(other.#first + index, count);
      }
      return;
    }
    const { pairs } = other;
    for (let index = 0; index + 1 < pairs.length; index += 2)
      this.#addBin(pairs[index] ?? 0, pairs[index + 1] ?? 0);
  }

  /** Empties it, keeping its room: for a sketch that is filled again and again. */
  clear(): void {
    this.count = 0;
    this.sum = 0;
    this.#counts.fill(0);
  }

  /** The value below which a share `q` of the values lies (nearest rank); `null` when there are none. */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] ?? 0;
      if (seen >= rank) return valueOf(this.#first + index);
    }
    return null;
  }

  mean(): number | null {
    return this.count === 0 ? null : this.sum / this.count;
  }

  /** How many values are at most `limit`, to within one bin. */
  countUpTo(limit: number): number {
    const last = binOf(limit) - this.#first;
    let seen = 0;
    for (let index = 0; index <= last && index < this.#counts.length; index++)
      seen += this.#counts[index] ?? 0;
    return seen;
  }

  /** Each used bin's upper border and count. */
  *upperBorders(): Iterable<readonly [number, number]> {
    for (let index = 0; index < this.#counts.length; index++) {
      const count = this.#counts[index] ?? 0;
      if (count > 0) yield [GAMMA ** (this.#first + index), count];
    }
  }

  /** Sparse form for the wire. */
  bins(): Bins {
    return [...this.freeze().pairs];
  }

  freeze(): FrozenSketch {
    let used = 0;
    for (const count of this.#counts) if (count > 0) used++;
    const pairs = new Int32Array(used * 2);
    let at = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      const count = this.#counts[index] ?? 0;
      if (count === 0) continue;
      pairs[at++] = this.#first + index;
      pairs[at++] = count;
    }
    return { count: this.count, sum: this.sum, pairs };
  }

  #addBin(bin: number, count: number): void {
    let at = bin - this.#first;
    if (at < 0 || at >= this.#counts.length) at = this.#roomFor(bin);
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
    this.count += count;
  }

  /** Widens the counted range to hold `bin` and returns where it lies. */
  #roomFor(bin: number): number {
    const held = this.#counts;
    const low = held.length === 0 ? bin : Math.min(bin, this.#first);
    const high = held.length === 0 ? bin : Math.max(bin, this.#first + held.length - 1);
    const first = Math.max(BIN_MIN, low === this.#first ? low : low - SLACK_BINS);
    const last = Math.min(BIN_MAX, high + SLACK_BINS);
    const wider = new Float64Array(last - first + 1);
    if (held.length > 0) wider.set(held, this.#first - first);
    this.#first = first;
    this.#counts = wider;
    return bin - first;
  }
}

/** Two sketches at rest as one, by walking both. */
export function mergeFrozen(a: FrozenSketch, b: FrozenSketch): FrozenSketch {
  const left = a.pairs;
  const right = b.pairs;
  const merged = new Int32Array(left.length + right.length);
  let used = 0;
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const leftBin = left[i] ?? Infinity;
    const rightBin = right[j] ?? Infinity;
    merged[used++] = Math.min(leftBin, rightBin);
    merged[used++] =
      (leftBin <= rightBin ? (left[i + 1] ?? 0) : 0) +
      (rightBin <= leftBin ? (right[j + 1] ?? 0) : 0);
    if (leftBin <= rightBin) i += 2;
    if (rightBin <= leftBin) j += 2;
  }
  return { count: a.count + b.count, sum: a.sum + b.sum, pairs: merged.slice(0, used) };
}

/** Bin i holds values in (γ^(i−1), γ^i]. */
function binOf(value: number): number {
  // A value that is no number would become no bin; it is counted as the smallest.
  const bin = Math.ceil(Math.log2(value > VALUE_MIN ? value : VALUE_MIN) * BINS_PER_DOUBLING);
  return Math.min(BIN_MAX, Math.max(BIN_MIN, bin));
}

/** The value of a bin with the least relative error at both its borders. */
export function valueOf(bin: number): number {
  return (2 * GAMMA ** bin) / (GAMMA + 1);
}
