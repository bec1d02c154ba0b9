import { EventBorders } from "./event-borders.ts";

/** One server-sent event. `name` is `message` unless an `event:` line says otherwise. */
export interface SseEvent {
  readonly name: string;
  /** The `data:` lines joined by `\n`; empty when the block held none. */
  readonly data: string;
}

/** Called with the bytes of one event block, valid only during the call. */
export type BlockSink = (bytes: Uint8Array, start: number, end: number) => void;

/** Shared by all streams until they hold something. */
const NOTHING = new Uint8Array(0);
/** An event larger than this is dropped and counted: a meter never holds an unbounded answer. */
export const EVENT_BYTES_MAX = 1_048_576;

/**
 * Hands out server-sent events one by one from bytes cut anywhere: inside a character, between CR and LF,
 * with several events in one chunk. Copies only an event that spans chunks.
 *
 * One deviation from the WHATWG stream grammar: {@link end} also yields a last event whose blank line never
 * came, as the OpenAI SDKs do.
 */
export class SseScanner {
  /** Events dropped for being longer than {@link EVENT_BYTES_MAX}. */
  oversized = 0;
  readonly #sink: BlockSink;
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  readonly #borders = new EventBorders();
  #skipping = false;

  constructor(sink: BlockSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = this.#borders.next(chunk, 0); end !== -1;) {
      this.#emit(chunk, start, end);
      start = end + 1;
      end = this.#borders.next(chunk, start);
    }
    this.#hold(chunk, start);
  }

  /** Whether the bytes so far end where an event ends: another may be put behind them. */
  get isBetweenEvents(): boolean {
    return this.#heldBytes === 0 && this.#borders.isAtLineStart && !this.#skipping;
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
