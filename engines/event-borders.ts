const LF = 10;
const CR = 13;

/**
 * Finds where server-sent events end in bytes cut anywhere: lines end with LF, CRLF or CR, a blank line ends an event
 * (html.spec.whatwg.org, 9.2.6). Where no CR is, as from every engine, the search is the machine's own.
 */
export class EventBorders {
  #lineEmpty = true;
  #afterCr = false;

  /** The line under way has no bytes yet: events may begin here. */
  get isAtLineStart(): boolean {
    return this.#lineEmpty;
  }

  /** The last byte was a CR: an LF right behind it belongs to the same line break. */
  get isAfterCr(): boolean {
    return this.#afterCr;
  }

  /**
   * The break that makes the next blank line from `from` on, -1 where the chunk holds none. To be asked again from behind
   * what it returned, until -1: then all of the chunk has been looked at.
   */
  next(chunk: Uint8Array, from: number): number {
    return chunk.indexOf(CR, from) === -1 ? this.#nextLf(chunk, from) : this.#nextAny(chunk, from);
  }

  #nextLf(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      const end = chunk.indexOf(LF, at);
      if (end !== at) {
        this.#afterCr = false;
        this.#lineEmpty = end !== -1;
        if (end === -1) return -1;
      } else if (this.#afterCr) this.#afterCr = false;
      else if (this.#lineEmpty) return end;
      else this.#lineEmpty = true;
      at = end + 1;
    }
    return -1;
  }

  #nextAny(chunk: Uint8Array, from: number): number {
    for (let index = from; index < chunk.length; index++) {
      const byte = chunk[index];
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        this.#afterCr = false;
        continue;
      }
      const endsCrLf = byte === LF && this.#afterCr;
      this.#afterCr = byte === CR;
      if (endsCrLf) continue;
      if (this.#lineEmpty) return index;
      this.#lineEmpty = true;
    }
    return -1;
  }
}
