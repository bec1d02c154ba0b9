import { REPLICA_COLUMNS, type ReplicaColumn, type ReplicaRow } from "./replica-columns.ts";

/** The order without another: the troubled first, then the slowest. */
const SORT_DEFAULT = ["state", "-ttft95"] as const;
/** How long rows keep their places. */
const HELD_MS = 10_000;

/** What an order is made by. */
export interface OrderBy {
  /** A column's key, `-` before it for the largest first; `null` for the usual order. */
  readonly sort: string | null;
  readonly columns: readonly ReplicaColumn[];
  readonly nowMs: number;
}

/**
 * Where each replica stands. Rows that change places each second cannot be read: they keep them for a while, unless a
 * state changes. Until then those out of sight may be left as they are; with 64 replicas that is most of a second's work.
 */
export class ReplicaOrder {
  #because = "";
  #madeMs = 0;
  #places: ReadonlyMap<string, number> = new Map();

  /** Keeps the order or makes a new one; says whether it did. */
  hold(rows: readonly ReplicaRow[], { sort, columns, nowMs }: OrderBy): boolean {
    const states = rows.map(({ view }) => `${view.id} ${view.state}`);
    const because = [sort, ...columns.map(({ key }) => key), ...states].join(" ");
    if (because === this.#because && Math.abs(nowMs - this.#madeMs) < HELD_MS) return false;
    this.#because = because;
    this.#madeMs = nowMs;
    this.#places = placesOf(rows, sort);
    return true;
  }

  of(rows: readonly ReplicaRow[]): readonly ReplicaRow[] {
    const place = ({ view }: ReplicaRow): number => this.#places.get(view.id) ?? 0;
    return rows.toSorted((a, b) => place(a) - place(b));
  }
}

function placesOf(rows: readonly ReplicaRow[], sort: string | null): ReadonlyMap<string, number> {
  const orders = (sort === null ? SORT_DEFAULT : [sort]).map(orderBy);
  const sorted = rows.toSorted(
    (a, b) =>
      orders.reduce((order, by) => order || by(a, b), 0) ||
      a.view.id.localeCompare(b.view.id, undefined, { numeric: true }),
  );
  return new Map(sorted.map(({ view }, at) => [view.id, at]));
}

/** What has no value stands last, whichever way the others go. */
function orderBy(sort: string): (a: ReplicaRow, b: ReplicaRow) => number {
  const key = sort.replace(/^-/, "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const column = REPLICA_COLUMNS.find((one) => one.key === key);
  return (left, right) => {
    const [a, b] = [left, right].map((row) =>
      column === undefined ? row.view.id : column.value(row),
    );
    if (a === b || a === undefined || b === undefined) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    if (typeof a === "string" || typeof b === "string")
      return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
    return sign * (a - b);
  };
}
