import type { Delta, Engine, Timings, Usage } from "./engine.ts";
import type { InferenceRoute } from "./exchange.ts";
import { KeptAnswer } from "./kept-answer.ts";
import { OutputTimes } from "./output-times.ts";
import { readSseEvent, SseScanner } from "./sse.ts";
import { addTimings } from "./timings.ts";
import { addUsage, mergeUsage } from "./usage.ts";

/** An answer that is not a stream is kept up to this size and read whole; of a larger one only usage is looked for. */
export const ANSWER_BYTES_MAX = 4_194_304;
/** Vectors and scores say nothing else: parsing megabytes of them would hold up everybody's tokens. */
export const VECTOR_BYTES_MAX = 65_536;

/**
 * What an answer said, gathered from its bytes in whatever pieces they came: when output appeared, what
 * usage was reported, why it finished, whether it carried an error or its end mark.
 */
export class AnswerReader {
  readonly output = new OutputTimes();
  usage: Usage | null = null;
  tokenIds = 0;
  logprobTokens = 0;
  finishReason: string | null = null;
  error: Delta["error"] = null;
  /** The stream's own end mark was seen. */
  done = false;
  /** False on a route whose answers have no meaning to us: its bytes are counted, never read. */
  readonly isMetered: boolean;
  /** An answer that was not streamed held output: it has no first token, but it is no failure. */
  hasUnstreamedOutput = false;
  readonly #engine: Engine;
  readonly #route: InferenceRoute;
  readonly #scanner: SseScanner | null;
  #progress: Timings | null = null;
  #timings: Timings | null = null;
  /** Of an answer that is no stream, until it has been read. */
  #kept: KeptAnswer | null;
  #chunkMs = 0;
  /** What is read now was begun but never finished by its blank line. */
  #isTail = false;

  constructor(engine: Engine, route: InferenceRoute, contentType: string | undefined) {
    this.#engine = engine;
    this.#route = route;
    const isEventStream = contentType?.toLowerCase().startsWith("text/event-stream") === true;
    this.#scanner = isEventStream ? new SseScanner(this.#readBlock) : null;
    this.isMetered = route !== "other";
    const isVectors = route === "embeddings" || route === "rerank";
    const bytesMax = isVectors ? VECTOR_BYTES_MAX : ANSWER_BYTES_MAX;
    this.#kept = isEventStream ? null : new KeptAnswer(bytesMax);
  }

  get isEventStream(): boolean {
    return this.#scanner !== null;
  }

  /** llama.cpp's own account: of the ended choices or, before one ended, as far as it got. */
  get timings(): Timings | null {
    return this.#timings ?? this.#progress;
  }

  /** The bytes so far end where an event ends; false where nobody looks. */
  get isBetweenEvents(): boolean {
    return this.isMetered && this.#scanner?.isBetweenEvents === true;
  }

  /** Reads a piece that arrived at `atMs`. The bytes are not kept when the answer is a stream. */
  push(bytes: Uint8Array, atMs: number): void {
    if (!this.isMetered) return;
    this.#chunkMs = atMs;
    if (this.#scanner === null) this.#kept?.push(bytes);
    else this.#scanner.push(bytes);
  }

  /** Reads what can only be read once all bytes are there. */
  end(): void {
    if (this.#scanner !== null) {
      this.#isTail = true;
      this.#scanner.end();
    } else if (this.#kept?.isEmpty === false) {
      const text = this.#kept.text();
      if (text === null) this.usage = this.#kept.usageAtEdges();
      else this.#takeWhole(text);
      // Whoever counts requests holds their readers for up to a second more: not their bytes as well.
      this.#kept = null;
    }
  }

  readonly #readBlock = (bytes: Uint8Array, start: number, end: number): void => {
    if (this.output.events > 0) {
      const plain = plainOutput(bytes, start, end);
      if (plain !== "unknown") {
        if (plain !== "silent") this.output.add(this.#chunkMs, plain);
        return;
      }
    }
    const event = readSseEvent(bytes, start, end);
    if (event === null) return;
    const delta = this.#engine.readDelta(event, this.#route);
    // Half an event at the very end was cut off, not garbled.
    if (this.#isTail && delta.error?.code === "upstream_malformed") return;
    if (delta.outputChars > 0 || (delta.tokenIds ?? 0) > 0)
      this.output.add(this.#chunkMs, delta.channel === "reasoning" ? "reasoning" : "answer");
    this.#take(delta);
  };

  #take(delta: Delta): void {
    this.tokenIds += delta.tokenIds ?? 0;
    this.logprobTokens += delta.logprobTokens ?? 0;
    this.usage = (delta.addsUp ? addUsage : mergeUsage)(this.usage, delta.usage);
    if (delta.timings !== null) this.#takeTimings(delta.timings, delta);
    this.finishReason = delta.finishReason ?? this.finishReason;
    this.error = delta.error ?? this.error;
    this.done ||= delta.done;
  }

  /** Timings come with each token, each newer than the last, and once more with the end of each choice. */
  #takeTimings(timings: Timings, { usage, finishReason, done }: Delta): void {
    if (usage === null && finishReason === null && !done) this.#progress = timings;
    else this.#timings = addTimings(this.#timings, timings);
  }

  #takeWhole(text: string): void {
    const delta = this.#engine.readAnswer(text, this.#route);
    this.hasUnstreamedOutput = delta.outputChars > 0;
    this.#take(delta);
  }
}

/** Keys whose value changes more than the output clock: such an event is read in full. */
const TELLING =
  /"(?:usage|error|timings|metrics)"\s*:\s*[^n\s]|"(?:finish_reason|stop_reason|object"\s*:\s*"error|type)"\s*:\s*"|"(?:token_ids|tool_calls|content)"\s*:\s*\[|"(?:logprobs|function_call|audio|prompt_progress|x_groq)"\s*:\s*\{|\[DONE\]/;
const ANSWER = /"(?:content|text|refusal)"\s*:\s*"[^"]/;
const REASONING = /"reasoning(?:_content)?"\s*:\s*"[^"]/;

/**
 * Tells an ordinary mid-stream content event without parsing it: nine in ten events of a stream. Quotes inside
 * JSON strings are escaped, so a key found in the raw text is a key. Anything out of the ordinary is `unknown`.
 */
export function plainOutput(
  bytes: Uint8Array,
  start: number,
  end: number,
): "answer" | "reasoning" | "silent" | "unknown" {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  if (!text.includes('"choices"') || TELLING.test(text)) return "unknown";
  if (ANSWER.test(text)) return "answer";
  return REASONING.test(text) ? "reasoning" : "silent";
}
