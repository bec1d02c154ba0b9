/** Cumulative histogram in the Prometheus sense, over fixed bucket borders. */
export class Histogram {
  readonly borders: readonly number[];
  readonly #counts: number[];
  sum = 0;
  count = 0;

  constructor(borders: readonly number[]) {
    this.borders = borders;
    this.#counts = borders.map(() => 0);
  }

  /** @param weight observations this one stands for; the sum takes the value once, as SGLang's does. */
  observe(value: number, weight = 1): void {
    this.sum += value;
    this.count += weight;
    const index = this.borders.findIndex((border) => value / weight <= border);
    if (index !== -1) this.#counts[index] = (this.#counts[index] ?? 0) + weight;
  }

  /** Observations up to each border. */
  cumulative(): readonly number[] {
    let running = 0;
    return this.#counts.map((count) => (running += count));
  }
}
