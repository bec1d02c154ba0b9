/** Headers that belong to one hop (RFC 9110 §7.6.1) and never travel on, plus the ones that steer the proxy itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const REQUEST_ONLY = new Set([
  "host",
  "expect",
  "content-length",
  "x-pitot-session",
  "x-pitot-priority",
  "x-pitot-timeout-ms",
]);
/** An answer's own framing is set by the server that writes it on. */
const RESPONSE_ONLY = new Set(["x-pitot-replica", "x-pitot-attempts", "x-pitot-error-source"]);

/** More header fields than this in a request are refused: Node silently drops those beyond about a thousand. */
export const HEADER_FIELDS_MAX = 100;

/** Longest request id taken over from a client. */
const REQUEST_ID_CHARS_MAX = 128;

/**
 * Request headers for the engine: order, case and duplicates kept, hop-by-hop ones and those named by `Connection` dropped.
 * `raw` is Node's flat list of names and values. `own`, in the same form, is what the chosen replica alone is told; it replaces
 * the client's headers of those names.
 */
export function upstreamHeaders(
  raw: readonly string[],
  requestId: string,
  own: readonly string[] = [],
): string[] {
  const kept = keep(
    raw,
    own.length === 0 ? REQUEST_ONLY : new Set([...REQUEST_ONLY, ...namesOf(own)]),
  );
  kept.push(...own);
  if (!has(kept, "x-request-id")) kept.push("x-request-id", requestId);
  return kept;
}

/** Response headers for the client: the engine's, less what belonged to its connection. */
export function downstreamHeaders(raw: readonly string[]): string[] {
  return keep(raw, RESPONSE_ONLY);
}

/** The flat list of raw header buffers undici hands out, as text. Header bytes are latin-1 (RFC 9110 §5.5). */
export function rawText(raw: readonly (Buffer | string)[]): string[] {
  return raw.map((part) => (typeof part === "string" ? part : part.toString("latin1")));
}

/** First value of a header in a flat list, or `undefined`. `name` in lower case. */
export function headerOf(raw: readonly string[], name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() === name) return raw[index + 1];
  }
  return undefined;
}

/** A client's request id, when it gave a usable one. */
export function givenRequestId(raw: readonly string[]): string | null {
  const id = headerOf(raw, "x-request-id");
  if (id === undefined || id.length > REQUEST_ID_CHARS_MAX || !/^[\x21-\x7e]+$/.test(id))
    return null;
  return id;
}

function keep(raw: readonly string[], dropped: ReadonlySet<string>): string[] {
  const nominated = connectionOptions(raw);
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || dropped.has(lower) || nominated.has(lower)) continue;
    kept.push(name, raw[index + 1] ?? "");
  }
  return kept;
}

/** Names listed in `Connection`: they too belong to this hop only. */
function connectionOptions(raw: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() !== "connection") continue;
    for (const name of (raw[index + 1] ?? "").split(",")) names.add(name.trim().toLowerCase());
  }
  return names;
}

function namesOf(flat: readonly string[]): readonly string[] {
  return flat.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
}

function has(raw: readonly string[], name: string): boolean {
  return headerOf(raw, name) !== undefined;
}
