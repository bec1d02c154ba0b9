import type { AnswerStart } from "../upstream/wire/answer-start.ts";
import { headerOf, isReason } from "./headers.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Status line and headers of an engine's answer, and what they say of the body to come. */
export class AnswerHead {
  readonly status: number;
  readonly message: string;
  /** Flat list of names and values, as they came. */
  readonly raw: readonly string[];
  readonly type: string | undefined;
  readonly isStream: boolean;

  /** Length of the body, where it is stated. */
  readonly bodyBytes: number | null;
  /** Only the closing of its connection ends the body: it may have been cut as well as finished. */
  readonly isCloseDelimited: boolean;

  constructor({ status, message, raw, bodyBytes, isChunked }: AnswerStart) {
    this.status = status;
    this.message = isReason(message) ? message : "";
    this.raw = raw;
    this.type = headerOf(raw, "content-type");
    this.isStream = this.type?.toLowerCase().startsWith("text/event-stream") === true;
    this.bodyBytes = bodyBytes;
    this.isCloseDelimited = bodyBytes === null && !isChunked;
  }

  has(name: string): boolean {
    return headerOf(this.raw, name) !== undefined;
  }

  /** An answer whose events can be read as they come. */
  get isPlainStream(): boolean {
    return this.status === 200 && this.isStream && !this.has("content-encoding");
  }

  /** Words of ours may follow: the body is a stream, neither compressed nor of a stated length. */
  get takesWords(): boolean {
    return this.isStream && !this.has("content-encoding") && !this.has("content-length");
  }

  /** How long it asks to be left alone; `null` when it does not. */
  retryAfterMs(nowMs: number): number | null {
    return retryAfterMs(headerOf(this.raw, "retry-after"), nowMs);
  }
}
