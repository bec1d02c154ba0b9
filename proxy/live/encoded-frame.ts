import { constants, deflateRawSync } from "node:zlib";
import type { Frame } from "./frames.ts";

/**
 * How a viewer wants its frames: JSON text, or with `?encoding=deflate-raw` on the live address the same text deflated
 * (RFC 1951) in binary messages, a fifth of the size; browsers undo it with `DecompressionStream`. Not
 * `permessage-deflate`: that would compress anew for every viewer.
 */
export const encodings = ["json", "deflate-raw"] as const;
export type Encoding = (typeof encodings)[number];

/** A frame on the wire, put into each form once, whoever many take it. */
export class EncodedFrame {
  readonly sequence: number;
  readonly #frame: Frame;
  readonly #forms = new Map<Encoding, Buffer>();

  constructor(frame: Frame) {
    this.sequence = frame.sequence;
    this.#frame = frame;
  }

  as(encoding: Encoding): Buffer {
    const held = this.#forms.get(encoding);
    if (held !== undefined) return held;
    const bytes =
      encoding === "json"
        ? Buffer.from(JSON.stringify(this.#frame))
        : deflateRawSync(this.as("json"), { level: constants.Z_BEST_SPEED });
    this.#forms.set(encoding, bytes);
    return bytes;
  }
}
