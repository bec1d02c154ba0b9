import type { ServerResponse } from "node:http";
import type { Cancel } from "../clock.ts";
import { type Fault, findFault } from "./faults.ts";
import type { InferenceBody } from "./inference-body.ts";
import type { Answer, Counts, Frames, Persona } from "./personas/persona.ts";
import type { SimSink } from "./sequence.ts";
import { wordOf } from "./text.ts";

/** One request in the simulated engine's own books: what a test compares a meter with. */
export interface LedgerRow {
  readonly id: string;
  readonly receivedMs: number;
  readonly inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  firstTokenMs: number | null;
  lastTokenMs: number | null;
  /** The client's hang-up reached the engine. */
  abortedMs: number | null;
  finishedMs: number | null;
}

/** What one answer is written from and to. */
export interface GenerationParts {
  readonly persona: Persona;
  readonly frames: Frames;
  readonly body: InferenceBody;
  readonly answer: Answer;
  readonly outputTokens: number;
  readonly reason: string;
  readonly response: ServerResponse;
  readonly row: LedgerRow;
  readonly faults: readonly Fault[];
  readonly cachedTokens: () => number;
  readonly nowMs: () => number;
}

/** Writes one answer as its tokens appear: a stream of frames, or one body at the end. */
export class Generation implements SimSink {
  readonly #parts: GenerationParts;
  #opened = false;
  #text = "";
  /** Set by the owner: takes the request out of the engine. */
  abort: Cancel = () => {};

  constructor(parts: GenerationParts) {
    this.#parts = parts;
    if (parts.body.streamed && !parts.persona.headersWithFirstToken) this.#writeHead();
  }

  tokens(_count: number, total: number): void {
    const { body, row, nowMs, response, outputTokens, cachedTokens } = this.#parts;
    const atMs = nowMs();
    if (row.firstTokenMs === null) row.cachedTokens = cachedTokens();
    row.firstTokenMs ??= atMs;
    row.lastTokenMs = atMs;
    row.outputTokens = total;
    if (response.destroyed || this.#broken(total)) return;
    const text = wordOf(body.key, total - 1);
    if (!body.streamed) {
      this.#text += text;
      return;
    }
    if (!response.headersSent) this.#writeHead();
    response.write(this.#frame(text, total, total === outputTokens));
  }

  finished(atMs: number): void {
    const { body, row, response, frames, answer, reason } = this.#parts;
    row.finishedMs = atMs;
    if (response.destroyed || response.writableEnded || this.#broken(row.outputTokens)) return;
    if (body.streamed) {
      response.end(this.#ending());
      return;
    }
    this.#json(200, frames.whole(answer, this.#text, reason, this.#counts()));
  }

  failed(reason: string): void {
    const { response, persona } = this.#parts;
    if (response.destroyed || response.writableEnded) return;
    if (response.headersSent) response.destroy();
    else this.#json(500, persona.error(500, reason, null));
  }

  #frame(text: string, total: number, isLast: boolean): string {
    const { frames, answer, body, reason, row } = this.#parts;
    const continuous = body.streamOptions?.continuous_usage_stats === true;
    const counts = continuous || isLast ? { ...this.#counts(), output: total } : null;
    const opening = this.#opened ? "" : frames.open(answer);
    this.#opened = true;
    if (!isLast) return opening + frames.token(answer, text, counts);
    const always = this.#parts.persona.name === "llama.cpp";
    return (
      opening +
      frames.last(
        { ...answer, id: answer.id || row.id },
        text,
        reason,
        continuous || always ? counts : null,
      )
    );
  }

  #ending(): string {
    const { persona, body, frames, answer, faults } = this.#parts;
    const wantsUsage =
      persona.wantsUsage(body.streamOptions) && findFault(faults, "no-usage") === null;
    const usage = wantsUsage ? frames.usage(answer, this.#counts()) : "";
    return findFault(faults, "no-done") === null ? usage + frames.end : usage;
  }

  #counts(): Counts {
    const { row, faults } = this.#parts;
    const off = findFault(faults, "wrong-usage")?.offTokens ?? 0;
    return { input: row.inputTokens, output: row.outputTokens + off, cached: row.cachedTokens };
  }

  /** Lets a fault of this stage happen; true when nothing more is to be written. */
  #broken(total: number): boolean {
    const { faults, response, persona } = this.#parts;
    const stall = findFault(faults, "stall");
    if (stall !== null && total > stall.afterTokens) return true;
    const cut = findFault(faults, "cut");
    if (cut !== null && total > cut.afterTokens) {
      if (cut.how === "rst") response.socket?.resetAndDestroy();
      else response.destroy();
      this.abort();
      return true;
    }
    const fault = findFault(faults, "error-event");
    if (fault === null || total <= fault.afterTokens) return false;
    const error = persona.error(500, "the simulated engine failed on purpose", null);
    response.end(`data: ${JSON.stringify("error" in (error as object) ? error : { error })}\n\n`);
    this.abort();
    return true;
  }

  #writeHead(): void {
    const { response, persona } = this.#parts;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      ...persona.streamHeaders,
    });
    response.flushHeaders();
  }

  #json(status: number, value: unknown): void {
    const text = JSON.stringify(value);
    this.#parts.response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    });
    this.#parts.response.end(text);
  }
}
