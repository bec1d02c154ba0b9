/**
 * Request bodies held at one time, over all requests: each is kept until it cannot be needed for another try. Room for a
 * few hundred long prompts; well below what a small container has.
 */
export const BODIES_HELD_BYTES_MAX = 268_435_456;

/** The one account of bytes held for requests. */
export class BodyBudget {
  readonly #bytesMax: number;
  #heldBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes bytes if there is room for them. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#bytesMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
