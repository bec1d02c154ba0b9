import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { constants, deflateRaw } from "node:zlib";
import type { Encoding } from "./encoded-frame.ts";
import type { SnapshotFrame } from "./frames.ts";

/** Seconds of history put into words in one turn of the loop: about a millisecond's work for a wide fleet. */
const SECONDS_PER_TURN = 30;

const deflated = promisify(deflateRaw);

/**
 * A snapshot on the wire. A quarter of an hour of a wide fleet is megabytes: it is put into words bit by bit and deflated
 * off the loop, so that opening a board holds up no stream. Each form is made once, whoever many take it.
 */
export class EncodedSnapshot {
  readonly sequence: number;
  readonly #frame: SnapshotFrame;
  readonly #forms = new Map<Encoding, Promise<Buffer>>();

  constructor(frame: SnapshotFrame) {
    this.sequence = frame.sequence;
    this.#frame = frame;
  }

  as(encoding: Encoding): Promise<Buffer> {
    const held = this.#forms.get(encoding);
    if (held !== undefined) return held;
    const bytes = encoding === "json" ? this.#json() : this.#deflated();
    this.#forms.set(encoding, bytes);
    return bytes;
  }

  async #json(): Promise<Buffer> {
    const { history, ...rest } = this.#frame;
    const parts: Buffer[] = [Buffer.from(`${JSON.stringify(rest).slice(0, -1)},"history":[`)];
    for (let from = 0; from < history.length; from += SECONDS_PER_TURN) {
      if (from > 0) await nextTurn();
      const text = JSON.stringify(history.slice(from, from + SECONDS_PER_TURN)).slice(1, -1);
      parts.push(Buffer.from(from === 0 ? text : `,${text}`));
    }
    parts.push(Buffer.from("]}"));
    return Buffer.concat(parts);
  }

  async #deflated(): Promise<Buffer> {
    return deflated(await this.as("json"), { level: constants.Z_BEST_SPEED });
  }
}
