import type { Usage } from "./engine.ts";
import { readUsage } from "./usage.ts";

/** Both ends of a larger answer are kept: engines write usage last, llama.cpp before its vectors. */
const EDGE_BYTES = 16_384;
/** A usage object with at most one level of details in it. */
const USAGE = /"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})/g;

const NOTHING: Buffer = Buffer.alloc(0);

/** An answer that was not streamed: whole up to a size, of a larger one its two ends. */
export class KeptAnswer {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #head: Buffer | null = null;
  #tail = NOTHING;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#head !== null) return this.#slide(bytes);
    // A copy: the bytes are good during the call only.
    this.#pieces.push(Buffer.from(bytes));
    if (this.#bytes <= this.#bytesMax) return;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#head = Buffer.from(whole.subarray(0, EDGE_BYTES));
    this.#slide(whole.subarray(EDGE_BYTES));
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** All of it, or `null` when it was too large. */
  text(): string | null {
    if (this.#head !== null) return null;
    const [first = NOTHING] = this.#pieces;
    return (this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : first).toString();
  }

  /** Usage written near either end of a large answer; the later one where there are two. */
  usageAtEdges(): Usage | null {
    const edges = `${this.#head?.toString("latin1") ?? ""}\n${this.#tail.toString("latin1")}`;
    const [, last] = [...edges.matchAll(USAGE)].at(-1) ?? [];
    if (last === undefined) return null;
    try {
      return readUsage(JSON.parse(last));
    } catch {
      return null;
    }
  }

  #slide(bytes: Uint8Array): void {
    const fresh = bytes.subarray(Math.max(0, bytes.length - EDGE_BYTES));
    const old = this.#tail.subarray(Math.max(0, this.#tail.length + fresh.length - EDGE_BYTES));
    this.#tail = Buffer.concat([old, fresh]);
  }
}
