import { WireError } from "./wire-error.ts";

/** A request as it goes over a lane. */
export interface WireRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Flat list of names and values, the body's length among them. */
  readonly headers: readonly string[];
  /** One buffer, or pieces to go through in order. */
  readonly body: Buffer | readonly Buffer[] | null;
}

/** Up to this size head and body go out as one text: one write without a buffer of its own. */
const ONE_TEXT_BYTES_MAX = 16_384;
/** Methods that are expected to have a body say so when they have none (RFC 9110 §8.6). */
const SAYS_EMPTY = new Set(["POST", "PUT", "PATCH"]);
/** Ends a line or a string in whoever reads it. Node's parser lets none of these in; this is the last door. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\r\n\x00]/;

/** The request line and headers. @throws {WireError} when one of them would end its line early. */
export function requestHead({ method, path, headers, body }: WireRequest, host: string): string {
  let ownHost = true;
  let fields = "";
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") ownHost = false;
    fields += `${name}: ${value}\r\n`;
    if (FORBIDDEN.test(value) || FORBIDDEN.test(name))
      throw new WireError("unsendable", "a header holds a line break");
  }
  const hostField = ownHost ? `host: ${host}\r\n` : "";
  const empty = body === null && SAYS_EMPTY.has(method) ? "content-length: 0\r\n" : "";
  return `${method} ${path} HTTP/1.1\r\n${hostField}connection: keep-alive\r\n${fields}${empty}\r\n`;
}

/** Head and body as one text in latin-1 where they are small, else `null`. */
export function oneText(head: string, body: Buffer): string | null {
  return head.length + body.length > ONE_TEXT_BYTES_MAX ? null : head + body.toString("latin1");
}
