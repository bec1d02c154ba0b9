import type { ServerResponse } from "node:http";

/** Up to this size a whole answer is written as one text: one piece on its way through Node instead of two. */
const ONE_TEXT_BYTES_MAX = 16_384;
const LAST_CHUNK = "0\r\n\r\n";
const CR = 13;
const LF = 10;
const HEX = Buffer.from("0123456789abcdef");

/**
 * The client's end of an answer. Bytes given to it are copied, once: they may be gone after the call. What comes in chunks
 * is framed here, in the same copy, because Node would make four writes of each chunk.
 */
export class Outlet {
  readonly response: ServerResponse;
  #isFramed = false;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  /** `headers` is a flat list of names and values. */
  begin(status: number, message: string, headers: string[]): void {
    const { response } = this;
    response.writeHead(status, message, headers);
    // Node has decided by now: by the headers, the client's version and the status.
    this.#isFramed = response.chunkedEncoding;
    response.chunkedEncoding = false;
  }

  /** Whether the client has as many bytes waiting as it should. */
  get writableNeedDrain(): boolean {
    return this.response.writableNeedDrain;
  }

  /** Writes a piece of the body; false when the client wants no more for now. */
  write(bytes: Buffer): boolean {
    return this.response.write(this.#isFramed ? framed(bytes) : Buffer.from(bytes));
  }

  /** Writes a body that is whole and of the stated length, and ends. */
  writeWhole(bytes: Buffer): void {
    if (bytes.length <= ONE_TEXT_BYTES_MAX) this.response.end(bytes.toString("latin1"), "latin1");
    else this.response.end(Buffer.from(bytes));
  }

  /** The body is over. */
  end(): void {
    if (this.response.writableEnded) return;
    if (this.#isFramed) this.response.write(LAST_CHUNK, "latin1");
    this.response.end();
  }

  /** Closes the connection behind what was written: the client sees that the answer has no end. */
  breakOff(lastWords: string | null): void {
    if (lastWords === null) {
      this.response.destroy();
      return;
    }
    this.write(Buffer.from(lastWords));
    this.response.socket?.destroySoon();
  }
}

/** A chunk of a chunked body (RFC 9112 §7.1), in memory of its own. */
function framed(bytes: Buffer): Buffer {
  const { length } = bytes;
  let digits = 1;
  for (let rest = length >>> 4; rest > 0; rest >>>= 4) digits++;
  const chunk = Buffer.allocUnsafe(length + digits + 4);
  for (let at = digits - 1, rest = length; at >= 0; at--, rest >>>= 4)
    chunk[at] = HEX[rest & 15] ?? 0;
  chunk[digits] = CR;
  chunk[digits + 1] = LF;
  bytes.copy(chunk, digits + 2);
  chunk[length + digits + 2] = CR;
  chunk[length + digits + 3] = LF;
  return chunk;
}
