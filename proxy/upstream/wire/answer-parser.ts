import { type AnswerStart, readAnswerStart } from "./answer-start.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { malformed } from "./wire-error.ts";

/** Headers of an answer at most, as Node and llhttp have it. */
const START_BYTES_MAX = 16_384;

const START_END = Buffer.from("\r\n\r\n");
const PROTOCOL = Buffer.from("HTTP/1.");
const NOTHING: Buffer = Buffer.alloc(0);

/** Told what an answer is made of, in order. */
export interface AnswerSink {
  started(start: AnswerStart): void;
  /** A piece of the body. The bytes are good during the call only. */
  carried(bytes: Buffer): void;
}

/** Where the answer stands. */
type State = "start" | "counted" | "chunked" | "until-close" | "over";

/**
 * Reads answers out of a connection's bytes, one after the other, strictly: whatever could be read in two ways is none (RFC 9112 §6.3, §11.1).
 * Interim answers nobody waits for are read past; trailers and chunk extensions are dropped.
 */
export class AnswerParser {
  readonly #sink: AnswerSink;
  #method = "";
  #state: State = "over";
  /** Of a start that came in pieces. */
  #held = NOTHING;
  #left = 0;
  #chunked: ChunkedBody | null = null;
  #keepsAlive = true;
  #idleMsMax = Infinity;
  readonly #carry = (piece: Buffer): void => {
    this.#sink.carried(piece);
  };

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** What comes from now on answers a request of this method. */
  begin(method: string): void {
    this.#method = method;
    this.#state = "start";
    this.#held = NOTHING;
    this.#keepsAlive = true;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Whether another request may follow on the connection. */
  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  /** How long the engine says it keeps the connection idle. */
  get idleMsMax(): number {
    return this.#idleMsMax;
  }

  /** @throws {WireError} as soon as it is no answer. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case "start":
          at = this.#readStart(bytes, at);
          break;
        case "counted":
          at = this.#readCounted(bytes, at);
          break;
        case "chunked":
          at = this.#readChunked(bytes, at);
          break;
        case "until-close":
          this.#sink.carried(at === 0 ? bytes : bytes.subarray(at));
          return;
        case "over":
          // Nobody asked for more than one answer: the connection is not to be trusted with another.
          this.#keepsAlive = false;
          return;
      }
    }
  }

  /** The connection will bring no more. Returns whether the answer is whole. */
  close(): boolean {
    if (this.#state === "until-close") this.#state = "over";
    this.#keepsAlive = false;
    return this.#state === "over";
  }

  #readStart(bytes: Buffer, from: number): number {
    const isHeld = this.#held.length > 0;
    const all = isHeld ? Buffer.concat([this.#held, bytes.subarray(from)]) : bytes;
    const start = isHeld ? 0 : from;
    const end = all.indexOf(START_END, start);
    if ((end === -1 ? all.length : end) - start > START_BYTES_MAX)
      throw malformed("its headers have no end");
    if (end === -1) {
      // Another protocol may wait for us to speak first, for ever.
      const first = all.subarray(start, start + PROTOCOL.length);
      if (!first.equals(PROTOCOL.subarray(0, first.length)))
        throw malformed("it does not begin with HTTP/1");
      // Kept beyond this call, in which alone the bytes are good.
      this.#held = isHeld ? all : Buffer.from(bytes.subarray(from));
      return bytes.length;
    }
    const next = end + START_END.length;
    const behind = isHeld ? from + next - this.#held.length : next;
    this.#held = NOTHING;
    this.#begin(readAnswerStart(all.toString("latin1", start, end)));
    return behind;
  }

  #begin(start: AnswerStart): void {
    const { status, bodyBytes, isChunked, keepsAlive, idleMsMax } = start;
    // We ask neither for leave to go on nor for another protocol.
    if (status === 100 || status === 101) throw malformed(`a ${status} nobody asked for`);
    if (status < 200) return;
    this.#idleMsMax = idleMsMax;
    const hasBody = this.#method !== "HEAD" && status !== 204 && status !== 304;
    // Some servers send a body with the answer to HEAD all the same.
    this.#keepsAlive = keepsAlive && this.#method !== "HEAD";
    if (!hasBody || bodyBytes === 0) this.#state = "over";
    else if (isChunked) {
      this.#state = "chunked";
      this.#chunked = new ChunkedBody();
    } else if (bodyBytes === null) {
      this.#state = "until-close";
      this.#keepsAlive = false;
    } else {
      this.#state = "counted";
      this.#left = bodyBytes;
    }
    this.#sink.started(start);
  }

  #readCounted(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = "over";
    this.#sink.carried(bytes.subarray(at, end));
    return end;
  }

  #readChunked(bytes: Buffer, at: number): number {
    const chunked = this.#chunked;
    if (chunked === null) return bytes.length;
    const end = chunked.read(bytes, at, this.#carry);
    if (chunked.isOver) this.#state = "over";
    return end;
  }
}
