/** Nesting deeper than this is refused: real requests stay under ten, and deep nesting is how parsers are stalled. */
export const JSON_DEPTH_MAX = 64;

/** What a look at a JSON object's top level found. */
export type Peek =
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: "broken"; readonly why: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** A value longer than this is not kept: nobody's model name is. */
const VALUE_BYTES_MAX = 1024;

/**
 * Finds the wanted top-level fields of a JSON object without building it, and whether its brackets and strings hold
 * together. Values come as raw JSON text; very long ones are left out. One pass over the bytes.
 */
export function peekJson(bytes: Buffer, wanted: ReadonlySet<string>): Peek {
  return new Peeker(bytes, wanted).run();
}

class Peeker {
  readonly #bytes: Buffer;
  readonly #wanted: ReadonlySet<string>;
  readonly #fields = new Map<string, string>();
  readonly #open: number[] = [];
  #key: string | null = null;
  #valueStart = -1;

  constructor(bytes: Buffer, wanted: ReadonlySet<string>) {
    this.#bytes = bytes;
    this.#wanted = wanted;
  }

  run(): Peek {
    const bytes = this.#bytes;
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index] ?? 0;
      if (SPACE.has(byte)) continue;
      if (this.#open.length === 0 && byte !== 0x7b) return broken("it must be one JSON object");
      if (byte === QUOTE) {
        const end = stringEnd(bytes, index);
        if (end === -1) return broken("a string is not closed");
        this.#string(index, end);
        index = end;
        continue;
      }
      const problem = this.#mark(byte, index);
      if (problem !== null) return broken(problem);
      if (this.#open.length > 0) continue;
      if (!onlySpaceAfter(bytes, index + 1)) return broken("something follows the object");
      return { kind: "object", fields: this.#fields };
    }
    return broken("it ends too early");
  }

  #string(start: number, end: number): void {
    const isKey = this.#open.length === 1 && this.#valueStart === -1;
    if (isKey) this.#key = this.#bytes.toString("utf8", start + 1, end);
  }

  /** Takes a byte outside strings; says what is wrong with it, if anything. */
  #mark(byte: number, index: number): string | null {
    if (OPEN.has(byte)) {
      this.#open.push(byte);
      return this.#open.length > JSON_DEPTH_MAX
        ? `it is nested deeper than ${JSON_DEPTH_MAX} levels`
        : null;
    }
    if (CLOSE.has(byte)) {
      if (this.#open.length === 1) this.#take(index);
      // The closing bracket's code is the opening one's plus two.
      return this.#open.pop() === byte - 2 ? null : "its brackets do not match";
    }
    if (this.#open.length !== 1) return null;
    if (byte === COLON) this.#valueStart = index + 1;
    else if (byte === COMMA) this.#take(index);
    return null;
  }

  #take(end: number): void {
    const start = this.#valueStart;
    const key = this.#key;
    if (key !== null && start !== -1 && this.#wanted.has(key) && end - start <= VALUE_BYTES_MAX) {
      this.#fields.set(key, this.#bytes.toString("utf8", start, end).trim());
    }
    this.#key = null;
    this.#valueStart = -1;
  }
}

/** Index of the closing quote of the string that opens at `open`, or -1. */
function stringEnd(bytes: Buffer, open: number): number {
  for (let from = open + 1; ;) {
    const end = bytes.indexOf(QUOTE, from);
    if (end === -1) return -1;
    let escapes = 0;
    while (bytes[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
    from = end + 1;
  }
}

function onlySpaceAfter(bytes: Buffer, from: number): boolean {
  for (let index = from; index < bytes.length; index++) {
    if (!SPACE.has(bytes[index] ?? 0)) return false;
  }
  return true;
}

function broken(why: string): Peek {
  return { kind: "broken", why };
}
