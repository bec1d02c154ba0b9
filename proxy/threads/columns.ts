/** Gives each replica its own column of the shared table; a column is used again once nothing is counted in it. */
export class Columns {
  readonly #byReplica = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #isQuiet: (column: number) => boolean;
  readonly #max: number;
  #next = 0;

  constructor(max: number, isQuiet: (column: number) => boolean) {
    this.#max = max;
    this.#isQuiet = isQuiet;
  }

  /** @throws {RangeError} when every column is taken. */
  of(replica: string): number {
    const known = this.#byReplica.get(replica);
    if (known !== undefined) return known;
    const at = this.#free.findIndex((column) => this.#isQuiet(column));
    const [column = this.#next++] = at === -1 ? [] : this.#free.splice(at, 1);
    if (column >= this.#max) throw new RangeError(`more than ${this.#max} replicas at a time`);
    this.#byReplica.set(replica, column);
    return column;
  }

  /** Only these replicas are left. */
  keep(replicas: ReadonlySet<string>): void {
    for (const [replica, column] of this.#byReplica) {
      if (replicas.has(replica)) continue;
      this.#byReplica.delete(replica);
      this.#free.push(column);
    }
  }
}
