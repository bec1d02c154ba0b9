import type { IncomingMessage } from "node:http";
import type { BodyBudget } from "./body-budget.ts";
import { HeldBody } from "./held-body.ts";
import type { JsonPeek } from "./json-peek.ts";

/** Largest request body taken unless configured otherwise: room for a few images, not for a heap of them. */
export const BODY_BYTES_MAX = 33_554_432;

/** The body, or why there is none. */
export type BodyResult =
  | { readonly kind: "body"; readonly body: HeldBody }
  | { readonly kind: "too-large" }
  /** All bodies together are at their limit. */
  | { readonly kind: "no-room" }
  | { readonly kind: "gone" };

export interface BodyOptions {
  readonly bytesMax: number;
  readonly budget: BodyBudget;
  /** Looks into each piece as it comes, so that no body is ever gone through in one go. */
  readonly peek: JsonPeek | null;
}

/**
 * Reads a request body up to its limits and hands over what became of it, exactly once: a client that leaves is an answer
 * too. Whoever gets a body releases it; in every other case nothing is held any more.
 */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #done: (result: BodyResult) => void;
  readonly #body: HeldBody;
  #isDone = false;

  constructor(incoming: IncomingMessage, options: BodyOptions, done: (result: BodyResult) => void) {
    this.#incoming = incoming;
    this.#options = options;
    this.#done = done;
    this.#body = new HeldBody(options.budget);
    incoming.on("data", this.#take);
    incoming.on("end", this.#end);
  }

  /** The client's connection is closed: what has not come by now will not come. */
  gone(): void {
    if (!this.#incoming.complete) this.#fail("gone");
  }

  readonly #take = (piece: Buffer): void => {
    const { bytesMax, peek } = this.#options;
    if (this.#body.length + piece.length > bytesMax) return this.#fail("too-large");
    if (!this.#body.add(piece)) return this.#fail("no-room");
    peek?.push(piece);
  };

  readonly #end = (): void => {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#body.close();
    this.#done({ kind: "body", body: this.#body });
  };

  #fail(kind: "too-large" | "no-room" | "gone"): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#incoming.off("data", this.#take);
    this.#incoming.pause();
    this.#body.release();
    this.#done({ kind });
  }
}

/** Bytes a request announces to follow its headers; `Infinity` when it does not say how many. */
export function announcedBytes({ headers }: IncomingMessage): number {
  if (headers["transfer-encoding"] !== undefined) return Infinity;
  return Number(headers["content-length"] ?? 0);
}
