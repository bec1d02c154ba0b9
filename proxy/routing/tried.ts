import type { Replica } from "../upstream/replica.ts";

/** Which replicas a request was sent to, as far as the router wants to know. */
export type TriedReplicas = Pick<ReadonlySet<Replica>, "has" | "size">;

/** The replicas a request was sent to: at most three, for which a list is less than a set. */
export class Tried implements TriedReplicas {
  readonly #replicas: Replica[] = [];

  get size(): number {
    return this.#replicas.length;
  }

  has(replica: Replica): boolean {
    return this.#replicas.includes(replica);
  }

  add(replica: Replica): void {
    if (!this.has(replica)) this.#replicas.push(replica);
  }
}
