import type { IncomingMessage } from "node:http";

/** Largest request body taken unless configured otherwise: room for a few images, not for a heap of them. */
export const BODY_BYTES_MAX = 33_554_432;

/** The body, or why there is none. */
export type BodyResult =
  | { readonly kind: "body"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  | { readonly kind: "gone" };

/** Reads a request body up to a limit. Never rejects: a client that leaves is an answer too. */
export function readRequestBody(incoming: IncomingMessage, bytesMax: number): Promise<BodyResult> {
  const declared = Number(incoming.headers["content-length"] ?? 0);
  if (declared > bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        incoming.pause();
        resolve({ kind: "too-large" });
      } else {
        chunks.push(chunk);
      }
    });
    incoming.on("end", () => {
      resolve({
        kind: "body",
        bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks),
      });
    });
    const gone = (): void => {
      resolve({ kind: "gone" });
    };
    incoming.on("error", gone);
    incoming.on("close", gone);
  });
}
