import type { BodyBudget } from "./body-budget.ts";

/** Up to this size a body travels in one piece: one write, and cheaper to keep than to give back early. */
const ONE_PIECE_BYTES_MAX = 65_536;
/** Pieces smaller than this are gathered: a buffer costs about a hundred bytes beside what it holds. */
const SMALL_PIECE_BYTES = 16_384;
const SLAB_BYTES = 65_536;

/** A body as it is sent: one buffer, or pieces to go through in order. */
export type Body = Buffer | readonly Buffer[];

/** Bytes that take the place of those from `from` up to `to`. */
export interface Splice {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
}

/**
 * A request body as it was received, paid for from the common budget until it is given back, exactly once. It is kept in
 * the pieces it came in: nothing is joined or copied for its size's sake.
 */
export class HeldBody {
  readonly #budget: BodyBudget;
  readonly #pieces: Buffer[] = [];
  #slab: Buffer | null = null;
  #slabUsed = 0;
  #bytes = 0;
  #paidBytes = 0;
  #released = false;
  #spliced: { readonly body: Body; readonly bytes: number } | null = null;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Bytes received in all, given back or not. */
  get length(): number {
    return this.#bytes;
  }

  /** Keeps a piece; false when the budget has no room for it. */
  add(piece: Buffer): boolean {
    if (this.#released || !this.#budget.take(piece.length)) return false;
    this.#paidBytes += piece.length;
    this.#bytes += piece.length;
    if (this.#pieces.length === 0 || piece.length >= SMALL_PIECE_BYTES) this.#push(piece);
    else this.#gather(piece);
    return true;
  }

  /** No more will come. */
  close(): void {
    this.#closeSlab();
    if (this.#pieces.length > 1 && this.#bytes <= ONE_PIECE_BYTES_MAX) {
      this.#pieces.splice(0, this.#pieces.length, Buffer.concat(this.#pieces));
    }
  }

  /** As often as there are tries. `null` without a body. */
  payload(): Body | null {
    return this.#pieces.length > 1 ? this.#pieces : (this.#pieces[0] ?? null);
  }

  /** The body with one change and its length, made once for all tries. `null` when there is none, or no room for it. */
  spliced(splice: Splice): { readonly body: Body; readonly bytes: number } | null {
    if (this.#spliced !== null || this.#released) return this.#spliced;
    const bytes = this.#bytes + splice.bytes.length - (splice.to - splice.from);
    const isCopied = this.#pieces.length === 1;
    const costBytes = isCopied ? bytes : splice.bytes.length;
    if (this.#pieces.length === 0 || !this.#budget.take(costBytes)) return null;
    this.#paidBytes += costBytes;
    const pieces = withSplice(this.#pieces, splice);
    this.#spliced = { body: isCopied ? Buffer.concat(pieces) : pieces, bytes };
    return this.#spliced;
  }

  /**
   * No further try will need it and the engine has all of it: gives a large body back at once. A small one is still held
   * by its lane until it is written out, and stays on the account as long.
   */
  spent(): void {
    if (this.#pieces.length > 1) this.release();
  }

  /** Gives it back. Harmless when done already. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#pieces.length = 0;
    this.#spliced = null;
    this.#slab = null;
    this.#budget.give(this.#paidBytes);
  }

  #push(piece: Buffer): void {
    this.#closeSlab();
    this.#pieces.push(piece);
  }

  #gather(piece: Buffer): void {
    if (this.#slabUsed + piece.length > SLAB_BYTES) this.#closeSlab();
    this.#slab ??= Buffer.allocUnsafeSlow(SLAB_BYTES);
    piece.copy(this.#slab, this.#slabUsed);
    this.#slabUsed += piece.length;
  }

  #closeSlab(): void {
    if (this.#slab === null) return;
    this.#pieces.push(this.#slab.subarray(0, this.#slabUsed));
    this.#slab = null;
    this.#slabUsed = 0;
  }
}

/** Views of the pieces with the splice between them. */
function withSplice(pieces: readonly Buffer[], { from, to, bytes }: Splice): Buffer[] {
  const before: Buffer[] = [];
  const behind: Buffer[] = [];
  let at = 0;
  for (const piece of pieces) {
    if (at < from) before.push(piece.subarray(0, from - at));
    if (at + piece.length > to) behind.push(piece.subarray(Math.max(0, to - at)));
    at += piece.length;
  }
  return [...before, bytes, ...behind];
}
