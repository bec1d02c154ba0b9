/** Nesting deeper than this is refused: real requests stay under ten, and deep nesting is how parsers are stalled. */
export const JSON_DEPTH_MAX = 64;

/** What a look at a JSON object's top level found. */
export type Peek =
  | {
      readonly kind: "object";
      readonly fields: ReadonlyMap<string, string>;
      /** Where the value of each wanted field lies that is there, kept or not. */
      readonly spans: ReadonlyMap<string, Span>;
      /** Where the object's first brace is. */
      readonly opensAt: number;
    }
  | { readonly kind: "broken"; readonly why: string };

/** Bytes from `from` up to `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Keys and values longer than this are not kept: nobody's model name is. */
const KEPT_BYTES_MAX = 1024;
/** Within strings this many bytes are looked at one by one; beyond, a native search is faster. */
const SHORT_STRING_BYTES = 24;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const PLAIN = 0;
const SPACE = 1;
const STRING = 2;
const OPEN = 3;
const CLOSE = 4;
const COLON = 5;
const COMMA = 6;

/** What a byte means outside strings. */
const MEANING = new Uint8Array(256);
for (const [bytes, meaning] of [
  [" \t\n\r", SPACE],
  ['"', STRING],
  ["{[", OPEN],
  ["}]", CLOSE],
  [":", COLON],
  [",", COMMA],
] as const) {
  for (const byte of Buffer.from(bytes)) MEANING[byte] = meaning;
}

/**
 * Finds the wanted top-level fields of a JSON object without building it, and whether its brackets and strings hold
 * together. Takes the text in pieces, each gone through once when it comes: memory is constant, and no piece can hold up
 * the loop for longer than its own length. Values are raw JSON text; the last of several counts, as in the engines'
 * parsers; very long ones are left out.
 */
export class JsonPeek {
  readonly #wanted: ReadonlySet<string>;
  readonly #fields = new Map<string, string>();
  readonly #spans = new Map<string, Span>();
  readonly #open = new Uint8Array(JSON_DEPTH_MAX);
  #depth = 0;
  /** Bytes of the pieces before this one. */
  #before = 0;
  #opensAt = 0;
  #valueFrom = 0;
  #inString = false;
  #escaped = false;
  #isOver = false;
  #why: string | null = null;
  /** The last top-level key; `null` while its value is not yet begun. */
  #key: string | null = null;
  /** Bytes of the key or value being read, while they are worth keeping. */
  #kept: Buffer | null = null;
  #keptBytes = 0;
  #keeping = false;
  /** The string being read may be a top-level key. */
  #isKey = false;

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  push(piece: Buffer): void {
    if (this.#why !== null) return;
    let index = 0;
    while (index < piece.length) {
      index = this.#inString ? this.#readString(piece, index) : this.#readMark(piece, index);
      if (this.#why !== null) return;
    }
    this.#before += piece.length;
  }

  /** What the whole was. */
  result(): Peek {
    const why = this.#why ?? (this.#isOver ? null : "it ends too early");
    if (why !== null) return { kind: "broken", why };
    return { kind: "object", fields: this.#fields, spans: this.#spans, opensAt: this.#opensAt };
  }

  /** Goes through a string's bytes from `start`; returns where to go on. */
  #readString(piece: Buffer, start: number): number {
    let index = start;
    const near = Math.min(piece.length, start + SHORT_STRING_BYTES);
    for (; index < near; index++) {
      const byte = piece[index];
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) return this.#endString(piece, start, index);
    }
    for (; index < piece.length;) {
      const end = piece.indexOf(QUOTE, index);
      const until = end === -1 ? piece.length : end;
      let escapes = 0;
      while (until - 1 - escapes >= index && piece[until - 1 - escapes] === BACKSLASH) escapes++;
      const reachesBack = until - escapes === index && this.#escaped;
      this.#escaped = (escapes + (reachesBack ? 1 : 0)) % 2 === 1;
      if (end === -1) break;
      if (!this.#escaped) return this.#endString(piece, start, end);
      this.#escaped = false;
      index = end + 1;
    }
    this.#keep(piece, start, piece.length);
    return piece.length;
  }

  #endString(piece: Buffer, start: number, end: number): number {
    this.#inString = false;
    if (!this.#isKey) {
      this.#keep(piece, start, end + 1);
      return end + 1;
    }
    this.#keep(piece, start, end);
    this.#isKey = false;
    this.#key = keyOf(this.#takeKept());
    return end + 1;
  }

  /** Goes through bytes outside strings up to the next string or the end of the piece. */
  #readMark(piece: Buffer, start: number): number {
    for (let index = start; index < piece.length; index++) {
      const byte = piece[index] ?? 0;
      const meaning = MEANING[byte] ?? PLAIN;
      if (meaning === SPACE) continue;
      if (this.#depth === 0 && !this.#begins(byte, index)) return piece.length;
      if (meaning === STRING) {
        this.#keep(piece, start, index + 1);
        this.#beginString();
        return index + 1;
      }
      if (meaning === OPEN) this.#enter(byte);
      else if (meaning === CLOSE) this.#leave(byte, piece, start, index);
      else if (meaning >= COLON && this.#depth === 1) {
        this.#separate(meaning, piece, start, index);
        return index + 1;
      }
      if (this.#why !== null) return piece.length;
    }
    this.#keep(piece, start, piece.length);
    return piece.length;
  }

  /** A colon or a comma between the fields of the object itself. */
  #separate(meaning: number, piece: Buffer, start: number, index: number): void {
    if (meaning === COLON) {
      this.#keeping = this.#key !== null && this.#wanted.has(this.#key);
      this.#keptBytes = 0;
      this.#valueFrom = this.#before + index + 1;
    } else {
      this.#endValue(piece, start, index);
      this.#key = null;
    }
  }

  /** Outside the object only its first brace may come. */
  #begins(byte: number, index: number): boolean {
    this.#opensAt = this.#before + index;
    if (this.#isOver) this.#why = "something follows the object";
    else if (byte !== 0x7b) this.#why = "it must be one JSON object";
    return this.#why === null;
  }

  #beginString(): void {
    this.#inString = true;
    this.#escaped = false;
    this.#isKey = this.#depth === 1 && this.#key === null;
    if (!this.#isKey) return;
    this.#keeping = true;
    this.#keptBytes = 0;
  }

  #endValue(piece: Buffer, start: number, end: number): void {
    if (this.#key === null || !this.#keeping) return;
    this.#keep(piece, start, end);
    this.#spans.set(this.#key, { from: this.#valueFrom, to: this.#before + end });
    const value = this.#takeKept();
    if (value === null) this.#fields.delete(this.#key);
    else this.#fields.set(this.#key, value.trim());
  }

  #enter(byte: number): void {
    if (this.#depth === JSON_DEPTH_MAX)
      this.#why = `it is nested deeper than ${JSON_DEPTH_MAX} levels`;
    else this.#open[this.#depth++] = byte;
  }

  #leave(byte: number, piece: Buffer, start: number, index: number): void {
    if (this.#depth === 1) this.#endValue(piece, start, index);
    this.#depth--;
    // The closing bracket's code is the opening one's plus two.
    if (this.#open[this.#depth] !== byte - 2) this.#why = "its brackets do not match";
    this.#isOver = this.#depth === 0;
  }

  #keep(piece: Buffer, start: number, end: number): void {
    if (!this.#keeping) return;
    if (this.#keptBytes + end - start > KEPT_BYTES_MAX) {
      this.#keptBytes = KEPT_BYTES_MAX + 1;
      return;
    }
    this.#kept ??= Buffer.allocUnsafe(KEPT_BYTES_MAX);
    this.#keptBytes += piece.copy(this.#kept, this.#keptBytes, start, end);
  }

  /** What was kept, or `null` when it was too long. Ends the keeping. */
  #takeKept(): string | null {
    this.#keeping = false;
    if (this.#keptBytes > KEPT_BYTES_MAX) return null;
    return this.#kept?.toString("utf8", 0, this.#keptBytes) ?? "";
  }
}

/** {@link JsonPeek} over a text in one piece. */
export function peekJson(bytes: Buffer, wanted: ReadonlySet<string>): Peek {
  const peek = new JsonPeek(wanted);
  peek.push(bytes);
  return peek.result();
}

/** A key as the engine's parser reads it: `"mod\u0065l"` is `model`. One that cannot be read is nobody's. */
function keyOf(raw: string | null): string {
  if (raw === null) return "";
  if (!raw.includes("\\")) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return "";
  }
}
