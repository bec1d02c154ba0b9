/** One server-sent event. `name` is `message` unless an `event:` line says otherwise. */
export interface SseEvent {
  readonly name: string;
  /** The `data:` lines joined by `\n`; empty when the block held none. */
  readonly data: string;
}

/** Called with the bytes of one event block, valid only during the call. */
export type BlockSink = (bytes: Uint8Array, start: number, end: number) => void;

/** An event larger than this is dropped and counted: a meter never holds an unbounded answer. */
export const EVENT_BYTES_MAX = 1_048_576;

const LF = 10;
const CR = 13;

/**
 * Finds the borders of server-sent events in bytes cut anywhere: inside a character, between CR and LF,
 * with several events in one chunk. Copies only an event that spans chunks.
 *
 * Follows the WHATWG stream grammar (html.spec.whatwg.org, 9.2.6): lines end with LF, CRLF or CR and a
 * blank line ends an event. One deviation: {@link end} also yields a last event whose blank line never
 * came, as the OpenAI SDKs do.
 */
export class SseScanner {
  /** Events dropped for being longer than {@link EVENT_BYTES_MAX}. */
  oversized = 0;
  readonly #sink: BlockSink;
  #held: Uint8Array = new Uint8Array(0);
  #heldBytes = 0;
  #lineEmpty = true;
  #afterCr = false;
  #skipping = false;

  constructor(sink: BlockSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index];
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        this.#afterCr = false;
        continue;
      }
      const endsCrLf = byte === LF && this.#afterCr;
      this.#afterCr = byte === CR;
      if (endsCrLf) continue;
      if (!this.#lineEmpty) {
        this.#lineEmpty = true;
        continue;
      }
      this.#emit(chunk, start, index);
      start = index + 1;
    }
    this.#hold(chunk, start);
  }

  /** Whether the bytes so far end where an event ends: another may be put behind them. */
  get isBetweenEvents(): boolean {
    return this.#heldBytes === 0 && this.#lineEmpty && !this.#skipping;
  }

  /** No more bytes will come: yields what was begun. */
  end(): void {
    this.#emit(new Uint8Array(0), 0, 0);
  }

  #emit(chunk: Uint8Array, start: number, end: number): void {
    if (this.#skipping) {
      this.#skipping = false;
      this.oversized++;
    } else if (this.#heldBytes > 0) {
      this.#hold(chunk.subarray(0, end), start);
      if (this.#skipping) return this.#emit(chunk, start, end);
      this.#sink(this.#held, 0, this.#heldBytes);
    } else if (end > start) {
      this.#sink(chunk, start, end);
    }
    this.#heldBytes = 0;
  }

  #hold(chunk: Uint8Array, start: number): void {
    const extra = chunk.length - start;
    if (extra <= 0 || this.#skipping) return;
    const needed = this.#heldBytes + extra;
    if (needed > EVENT_BYTES_MAX) {
      this.#skipping = true;
      return;
    }
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, this.#held.length * 2, 512));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(start === 0 ? chunk : chunk.subarray(start), this.#heldBytes);
    this.#heldBytes = needed;
  }
}

const decoder = new TextDecoder();

/** Reads the fields of one event block. `null` for a block of comments only. */
export function readSseEvent(bytes: Uint8Array, start: number, end: number): SseEvent | null {
  let name = "message";
  let data: string | null = null;
  const text = decoder.decode(bytes.subarray(start, end));
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    if (field !== "data" && field !== "event" && field !== "error") continue;
    const from = line[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon === -1 ? "" : line.slice(from);
    if (field === "event") name = value;
    // llama.cpp before mid-2025 wrote a failure as a field of its own (tools/server/utils.hpp server_sent_event).
    if (field === "error") name = "error";
    if (field !== "event") data = data === null ? value : `${data}\n${value}`;
  }
  return data === null ? null : { name, data };
}
