/** Counts requests under way on one replica. */
export interface InFlight {
  readonly count: number;
  add(by: 1 | -1): void;
}

/** The count of a proxy that runs on one thread. */
export function ownInFlight(): InFlight {
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(by) {
      count += by;
    },
  };
}

/**
 * Counts shared by threads: a row per thread, a column per replica. Each thread writes its own row alone and reads the sum,
 * so nobody waits for anybody, and the row of a thread that died is simply cleared.
 */
export class InFlightTable {
  readonly #cells: Int32Array;
  readonly #rows: number;
  readonly #columns: number;

  constructor(shared: SharedArrayBuffer, rows: number) {
    this.#cells = new Int32Array(shared);
    this.#rows = rows;
    this.#columns = this.#cells.length / rows;
  }

  static allocate(rows: number, columns: number): SharedArrayBuffer {
    return new SharedArrayBuffer(rows * columns * Int32Array.BYTES_PER_ELEMENT);
  }

  /** One replica's count as the thread of `row` keeps it. */
  counter(row: number, column: number): InFlight {
    const cells = this.#cells;
    const own = row * this.#columns + column;
    const sum = (): number => this.sum(column);
    return {
      get count() {
        return sum();
      },
      add(by) {
        Atomics.add(cells, own, by);
      },
    };
  }

  sum(column: number): number {
    let sum = 0;
    for (let row = 0; row < this.#rows; row++)
      sum += Atomics.load(this.#cells, row * this.#columns + column);
    return sum;
  }

  /** Forgets everything a thread had under way. */
  clear(row: number): void {
    this.#cells.fill(0, row * this.#columns, (row + 1) * this.#columns);
  }
}
