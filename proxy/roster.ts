import type { Cancel } from "../engines/clock.ts";

/** A member's place; knows its neighbours until it is left. */
interface Place<T> {
  member: T | null;
  before: Place<T>;
  after: Place<T>;
}

/**
 * Members that come and go with every request, oldest first. A `Set` would do, but for one thing: V8 replaces the table
 * of a busy set every few requests, and each replaced table keeps a link to its successor and to all who were members
 * then. Once one of them is old, every scavenge takes the whole chain, and with it every request there was, for alive
 * (OrderedHashTable::Rehash in V8's src/objects/ordered-hash-table.cc). A place that was left links to nothing.
 */
export class Roster<T> implements Iterable<T> {
  size = 0;
  readonly #ring: Place<T>;

  constructor() {
    const ring = { member: null } as Place<T>;
    ring.before = ring;
    ring.after = ring;
    this.#ring = ring;
  }

  /** Takes a member in; the returned function lets it go, and is harmless when called again. */
  add(member: T): Cancel {
    const last = this.#ring.before;
    const place: Place<T> = { member, before: last, after: this.#ring };
    last.after = place;
    this.#ring.before = place;
    this.size++;
    return () => {
      if (place.member === null) return;
      place.member = null;
      place.before.after = place.after;
      place.after.before = place.before;
      place.before = place;
      place.after = place;
      this.size--;
    };
  }

  /** Those who are members now: who comes or goes meanwhile changes nothing. */
  [Symbol.iterator](): Iterator<T> {
    const members: T[] = [];
    for (let { after } = this.#ring; after.member !== null; after = after.after)
      members.push(after.member);
    return members.values();
  }
}
