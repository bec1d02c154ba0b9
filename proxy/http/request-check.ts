import type { IncomingMessage } from "node:http";
import type { ErrorCode } from "../errors.ts";
import { isAuthority } from "./request-target.ts";

/** More header fields than this in a request are refused: Node silently drops those beyond its own limit. */
export const HEADER_FIELDS_MAX = 100;

/** What makes a request unusable, before anyone looks at what it asks for. */
export interface Flaw {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Fields that say one thing, each with a bit of its own: two of them would be read differently by us and by the engine. */
const SINGLE: ReadonlyMap<string, number> = new Map([
  ["host", 1],
  ["content-length", 2],
  ["content-type", 4],
  ["transfer-encoding", 8],
  ["authorization", 16],
]);
const HOST = 1;

/**
 * Checks what Node's parser lets through and a proxy must not: it is strict about framing, but takes two `Host` lines, any
 * host at all and an empty transfer coding. `pseudonym` is our name in `Via`: met there, the request runs in a circle.
 */
export function flawOf(request: IncomingMessage, pseudonym: string): Flaw | null {
  const raw = request.rawHeaders;
  if (raw.length / 2 > HEADER_FIELDS_MAX) {
    return {
      code: "headers_too_large",
      detail: `The request has more than ${HEADER_FIELDS_MAX} header fields: send fewer.`,
    };
  }
  const { httpVersion } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0")
    return { code: "version_not_supported", detail: "Only HTTP/1.1 and HTTP/1.0 are spoken here." };
  let seen = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? "";
    const bit = SINGLE.get(name) ?? 0;
    if ((seen & bit) !== 0) return bad(`The header ${name} came twice: send it once.`);
    seen |= bit;
    if (name === "via" && raw[index + 1]?.includes(pseudonym) === true) {
      return {
        code: "loop_detected",
        detail: "The request has been through this proxy before: a replica's URL leads back to it.",
      };
    }
  }
  return hostFlaw(request, (seen & HOST) !== 0) ?? codingFlaw(request);
}

function hostFlaw(request: IncomingMessage, isThere: boolean): Flaw | null {
  // HTTP/1.0 knew no Host.
  if (!isThere && request.httpVersion === "1.0") return null;
  if (!isThere) return bad("The header Host is missing: HTTP/1.1 requires it.");
  return isAuthority(request.headers.host ?? "")
    ? null
    : bad("The header Host is not a host with an optional port.");
}

function codingFlaw({ headers, httpVersion }: IncomingMessage): Flaw | null {
  const coding = headers["transfer-encoding"];
  if (coding === undefined) return null;
  if (httpVersion === "1.0") return bad("Transfer-Encoding is unknown to HTTP/1.0.");
  return coding.toLowerCase() === "chunked"
    ? null
    : bad("The only transfer coding understood is chunked.");
}

function bad(detail: string): Flaw {
  return { code: "bad_request", detail };
}
