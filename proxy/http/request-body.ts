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
 * Reads a request body up to its limits. Never rejects: a client that leaves is an answer too. Whoever gets a body releases
 * it; in every other case nothing is held any more.
 */
export function readRequestBody(
  incoming: IncomingMessage,
  { bytesMax, budget, peek }: BodyOptions,
): Promise<BodyResult> {
  const body = new HeldBody(budget);
  return new Promise((resolve) => {
    const fail = (kind: "too-large" | "no-room" | "gone"): void => {
      incoming.off("data", take);
      incoming.pause();
      body.release();
      resolve({ kind });
    };
    const take = (piece: Buffer): void => {
      if (body.length + piece.length > bytesMax) return fail("too-large");
      if (!body.add(piece)) return fail("no-room");
      peek?.push(piece);
    };
    const gone = (): void => {
      if (!incoming.complete) fail("gone");
    };
    incoming.on("data", take);
    incoming.once("end", () => {
      body.close();
      resolve({ kind: "body", body });
    });
    incoming.once("error", gone);
    incoming.once("close", gone);
  });
}

/** Bytes a request announces to follow its headers; `Infinity` when it does not say how many. */
export function announcedBytes({ headers }: IncomingMessage): number {
  if (headers["transfer-encoding"] !== undefined) return Infinity;
  return Number(headers["content-length"] ?? 0);
}
