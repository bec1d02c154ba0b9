import type { Bins, TrafficCell } from "../../proxy/live/frames.ts";

/** A distribution put together from the sparse sketches of many seconds. */
export class Distribution {
  count = 0;
  readonly #gamma: number;
  readonly #bins = new Map<number, number>();

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
  }

  /** Takes in another distribution of the same gamma. */
  add(other: Distribution): void {
    for (const [bin, count] of other.#bins) this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + count);
    this.count += other.count;
  }

  /** The value below which a share `q` lies; `null` without values. */
  quantile(q: number): number | null {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (const [bin, count] of [...this.#bins].sort((a, b) => a[0] - b[0])) {
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

/** Merges one sketch of several cells. */
export function merged(
  cells: Iterable<TrafficCell>,
  of: "ttft" | "tpot",
  gamma: number,
): Distribution {
  const distribution = new Distribution(gamma);
  for (const cell of cells) distribution.merge(cell[of]);
  return distribution;
}
