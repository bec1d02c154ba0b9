import { EventBorders } from "../../engines/event-borders.ts";
import { readSseEvent } from "../../engines/sse.ts";

/** Usage takes a few hundred bytes; what grows beyond this is no usage event and passes as it comes. */
const HELD_BYTES_MAX = 16_384;

/** Where what passes goes. Bytes are its own from then on, or copied. */
export interface Sink {
  write(bytes: Buffer): boolean;
  readonly writableNeedDrain: boolean;
}

const LF = 10;
const CR = 13;
const USAGE_KEY = Buffer.from('"usage"');

/**
 * Takes the one event out of a stream that carries usage and no choice: it was asked for by us, not by the client. Every
 * other byte passes, and at once, but for an event that has begun and not ended: until then it could be the one.
 */
export class UsageSieve {
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #borders = new EventBorders();
  /** The last chunk ended where an event did. */
  #isEvent = true;
  /** The event before this byte was taken out; the rest of its last line break goes with it. */
  #tookLast = false;
  /** The event under way is too long to be the one. */
  #isPassing = false;
  #isDone = false;

  /** Writes what is the client's of a chunk to `sink`; false when that wants no more for now. */
  pass(chunk: Buffer, sink: Sink): boolean {
    const borders = this.#borders;
    if (this.#isDone && !borders.isAfterCr) return sink.write(chunk);
    // Half of a blank line that has had its say: it goes where its event went.
    let start = this.#isEvent && borders.isAfterCr && chunk[0] === LF ? 1 : 0;
    let from = this.#tookLast ? start : 0;
    for (let end = borders.next(chunk, 0); end !== -1;) {
      const isBroken = chunk[end] === CR && chunk[end + 1] === LF;
      const next = end + (isBroken ? 2 : 1);
      if (this.#ends(chunk.subarray(start, next), sink)) {
        if (from < start) sink.write(chunk.subarray(from, start));
        from = next;
      }
      start = next;
      end = borders.next(chunk, end + 1);
    }
    this.#isEvent = start === chunk.length;
    if (from < start) sink.write(chunk.subarray(from, start));
    if (start < chunk.length) this.#hold(chunk.subarray(start), sink);
    return !sink.writableNeedDrain;
  }

  /** No more will come: what is held is an event without its blank line, or part of one. */
  end(sink: Sink): void {
    const held = Buffer.concat(this.#held);
    this.#clear();
    if (held.length > 0 && !isUsageAlone(held)) sink.write(held);
  }

  /** An event ends with `rest`. True when it is taken out. */
  #ends(rest: Buffer, sink: Sink): boolean {
    const isFree = this.#isDone || this.#isPassing;
    this.#isPassing = false;
    this.#tookLast =
      !isFree && isUsageAlone(this.#heldBytes > 0 ? Buffer.concat([...this.#held, rest]) : rest);
    this.#isDone ||= this.#tookLast;
    if (!this.#tookLast) for (const piece of this.#held) sink.write(piece);
    this.#clear();
    return this.#tookLast;
  }

  #hold(piece: Buffer, sink: Sink): void {
    this.#tookLast = false;
    if (this.#isDone || this.#isPassing) return void sink.write(piece);
    this.#held.push(Buffer.from(piece));
    this.#heldBytes += piece.length;
    if (this.#heldBytes <= HELD_BYTES_MAX) return;
    for (const held of this.#held) sink.write(held);
    this.#clear();
    this.#isPassing = true;
  }

  #clear(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/** Looks for the key first: all other events pay for one search of their bytes. */
function isUsageAlone(block: Buffer): boolean {
  if (block.length > HELD_BYTES_MAX || !block.includes(USAGE_KEY)) return false;
  const data = readSseEvent(block, 0, block.length)?.data;
  if (data === undefined) return false;
  try {
    const said = JSON.parse(data) as { choices?: unknown; usage?: unknown } | null;
    const { choices, usage } = said ?? {};
    return (
      Array.isArray(choices) && choices.length === 0 && typeof usage === "object" && usage !== null
    );
  } catch {
    return false;
  }
}
