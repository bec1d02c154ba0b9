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

const NOT_ASCII = /[\x80-\xff]/;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
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
  /** Which of the open brackets are braces, a bit each: the outer half of them and the inner one. */
  #outer = 0;
  #inner = 0;
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
  /** The key or value being read is worth keeping. */
  #keeping = false;
  /** Where in this piece it begins, and what of it came in the pieces before; `null` when that was too long. */
  #keepFrom = 0;
  #kept: string | null = "";
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
    if (this.#keeping) {
      this.#kept = this.#keptUntil(piece, piece.length);
      this.#keepFrom = 0;
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
      else if (byte === QUOTE) return this.#endString(piece, index);
    }
    for (; index < piece.length;) {
      const end = piece.indexOf(QUOTE, index);
      const until = end === -1 ? piece.length : end;
      let escapes = 0;
      while (until - 1 - escapes >= index && piece[until - 1 - escapes] === BACKSLASH) escapes++;
      const reachesBack = until - escapes === index && this.#escaped;
      this.#escaped = (escapes + (reachesBack ? 1 : 0)) % 2 === 1;
      if (end === -1) break;
      if (!this.#escaped) return this.#endString(piece, end);
      this.#escaped = false;
      index = end + 1;
    }
    return piece.length;
  }

  #endString(piece: Buffer, end: number): number {
    this.#inString = false;
    if (!this.#isKey) return end + 1;
    this.#isKey = false;
    this.#key = keyOf(this.#takeKept(piece, end));
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
        this.#beginString(index + 1);
        return index + 1;
      }
      if (meaning === OPEN) this.#enter(byte);
      else if (meaning === CLOSE) this.#leave(byte, piece, index);
      else if (meaning >= COLON && this.#depth === 1) this.#separate(meaning, piece, index);
      if (this.#why !== null) return piece.length;
    }
    return piece.length;
  }

  /** A colon or a comma between the fields of the object itself. */
  #separate(meaning: number, piece: Buffer, index: number): void {
    if (meaning === COLON) {
      if (this.#key !== null && this.#wanted.has(this.#key)) this.#keep(index + 1);
      this.#valueFrom = this.#before + index + 1;
    } else {
      this.#endValue(piece, index);
      this.#key = null;
    }
  }

  /** Outside the object only its first brace may come. */
  #begins(byte: number, index: number): boolean {
    this.#opensAt = this.#before + index;
    if (this.#isOver) this.#why = "something follows the object";
    else if (byte !== OPEN_BRACE) this.#why = "it must be one JSON object";
    return this.#why === null;
  }

  #beginString(index: number): void {
    this.#inString = true;
    this.#escaped = false;
    this.#isKey = this.#depth === 1 && this.#key === null;
    if (this.#isKey) this.#keep(index);
  }

  #endValue(piece: Buffer, end: number): void {
    if (this.#key === null || !this.#keeping) return;
    this.#spans.set(this.#key, { from: this.#valueFrom, to: this.#before + end });
    const value = this.#takeKept(piece, end);
    if (value === null) this.#fields.delete(this.#key);
    else this.#fields.set(this.#key, value.trim());
  }

  #enter(byte: number): void {
    if (this.#depth === JSON_DEPTH_MAX)
      this.#why = `it is nested deeper than ${JSON_DEPTH_MAX} levels`;
    else {
      const bit = 1 << (this.#depth & 31);
      const isBrace = byte === OPEN_BRACE;
      if (this.#depth < 32) this.#outer = isBrace ? this.#outer | bit : this.#outer & ~bit;
      else this.#inner = isBrace ? this.#inner | bit : this.#inner & ~bit;
      this.#depth++;
    }
  }

  #leave(byte: number, piece: Buffer, index: number): void {
    if (this.#depth === 1) this.#endValue(piece, index);
    this.#depth--;
    const half = this.#depth < 32 ? this.#outer : this.#inner;
    const wasBrace = ((half >>> (this.#depth & 31)) & 1) === 1;
    if (wasBrace !== (byte === CLOSE_BRACE)) this.#why = "its brackets do not match";
    this.#isOver = this.#depth === 0;
  }

  /** What begins here is worth keeping. */
  #keep(from: number): void {
    this.#keeping = true;
    this.#keepFrom = from;
    this.#kept = "";
  }

  /** What was kept, or `null` when it was too long. Ends the keeping. */
  #takeKept(piece: Buffer, end: number): string | null {
    this.#keeping = false;
    const kept = this.#keptUntil(piece, end);
    if (kept === null || !NOT_ASCII.test(kept)) return kept;
    return Buffer.from(kept, "latin1").toString();
  }

  /** The bytes kept so far, one character each. */
  #keptUntil(piece: Buffer, end: number): string | null {
    if (this.#kept === null || this.#kept.length + end - this.#keepFrom > KEPT_BYTES_MAX)
      return null;
    return this.#kept + piece.toString("latin1", this.#keepFrom, end);
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
