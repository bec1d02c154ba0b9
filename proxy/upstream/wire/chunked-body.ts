import { malformed } from "./wire-error.ts";

const LF = 10;
const CR = 13;
const SEMICOLON = 0x3b;
/** Digits of a chunk's size: more than any chunk ever had, few enough that the number stays exact. */
const SIZE_DIGITS_MAX = 12;
/** Chunk extensions and trailers are read past, up to this many bytes each: nobody needs them, and some have used them to flood. */
const SKIPPED_BYTES_MAX = 16_384;

/** Where in the framing of a chunked body the next byte belongs (RFC 9112 §7.1). */
type Place =
  | "size"
  | "extension"
  | "size-end"
  | "data"
  | "data-cr"
  | "data-end"
  | "trailer"
  | "over";

/** Takes the framing off a chunked body cut anywhere. */
export class ChunkedBody {
  #place: Place = "size";
  #left = 0;
  #digits = 0;
  #skipped = 0;
  /** The trailer line under way has bytes. */
  #lineBytes = 0;
  #afterCr = false;

  get isOver(): boolean {
    return this.#place === "over";
  }

  /**
   * Hands each piece of content from `start` on to `take`; returns where it stopped: at the end, or behind the body.
   * @throws {WireError} where the framing is broken.
   */
  read(bytes: Buffer, start: number, take: (piece: Buffer) => void): number {
    let at = start;
    while (at < bytes.length && this.#place !== "over") {
      if (this.#place !== "data") {
        this.#readMark(bytes[at++] ?? 0);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#left);
      this.#left -= end - at;
      if (this.#left === 0) this.#place = "data-cr";
      take(bytes.subarray(at, end));
      at = end;
    }
    return at;
  }

  #readMark(byte: number): void {
    switch (this.#place) {
      case "size":
        return this.#readSize(byte);
      case "extension":
        if (byte === CR) this.#place = "size-end";
        else if (byte === LF || ++this.#skipped > SKIPPED_BYTES_MAX)
          throw malformed("a chunk's extension does not end");
        return;
      case "size-end":
        expect(byte, LF);
        this.#place = this.#left === 0 ? "trailer" : "data";
        this.#digits = 0;
        this.#skipped = 0;
        return;
      case "data-cr":
        expect(byte, CR);
        this.#place = "data-end";
        return;
      case "data-end":
        expect(byte, LF);
        this.#place = "size";
        return;
      case "trailer":
        return this.#readTrailer(byte);
      case "data":
      case "over":
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#digits > SIZE_DIGITS_MAX) throw malformed("a chunk's size is too long");
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0 || (byte !== CR && byte !== SEMICOLON))
      throw malformed("a chunk's size is no number");
    this.#place = byte === CR ? "size-end" : "extension";
  }

  /** Trailers are dropped; the empty line ends the body. */
  #readTrailer(byte: number): void {
    if (++this.#skipped > SKIPPED_BYTES_MAX) throw malformed("its trailers do not end");
    if (this.#afterCr) {
      expect(byte, LF);
      this.#afterCr = false;
      if (this.#lineBytes === 0) this.#place = "over";
      this.#lineBytes = 0;
    } else if (byte === CR) this.#afterCr = true;
    else if (byte === LF) throw malformed("a trailer ends in half a line break");
    else this.#lineBytes++;
  }
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw malformed("a chunk does not end where it said");
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
