import { randomBytes, timingSafeEqual } from "node:crypto";
import { headerOf } from "../http/headers.ts";

/** Says "this request is one of our own sweep's"; believed only with the token of this very process. */
export const MARK_HEADER = "x-pitot-synthetic";
/** `run/point` of the request. */
export const LABEL_HEADER = "x-pitot-synthetic-label";

const TOKEN_BYTES = 24;
/** What a label may look like: run and point ids, nothing that could break a line of a log. */
const LABEL = /^[\w./+%*:,-]{1,200}$/;

/** What a marked request says of itself. */
export interface SyntheticMark {
  /** The one replica it is for, drained or not. */
  readonly replica: string;
  readonly label: string | null;
}

/** A secret nobody outside this process can know: with it a request stays out of every real figure, quota and budget. */
export function newMarkToken(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url");
}

/** The header by which the data path knows a request of a sweep on `replica`, as a flat list. */
export function markHeaders(token: string, replica: string): readonly string[] {
  return [MARK_HEADER, `${token} ${encodeURIComponent(replica)}`];
}

/** Reads marks with one process's token. A mark with another token, or none at all, is a client's like any other. */
export class MarkReader {
  readonly #token: Buffer;

  constructor(token: string) {
    this.#token = Buffer.from(token);
  }

  /** `raw` is Node's flat list of names and values. */
  read(raw: readonly string[]): SyntheticMark | null {
    const given = headerOf(raw, MARK_HEADER);
    if (given === undefined) return null;
    const [token = "", replica = ""] = given.split(" ");
    const claimed = Buffer.from(token);
    if (claimed.length !== this.#token.length || !timingSafeEqual(claimed, this.#token))
      return null;
    const label = headerOf(raw, LABEL_HEADER);
    return {
      replica: decodeURIComponent(replica),
      label: label !== undefined && LABEL.test(label) ? label : null,
    };
  }
}
