/** Headers that belong to one hop (RFC 9110 §7.6.1) and never travel on, whatever `Connection` says. */
const HOP_BY_HOP = [
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
  "http2-settings",
];
/** Set anew towards the engine, or meant for the proxy alone. */
const REQUEST_ONLY = [
  "host",
  "expect",
  "content-length",
  "x-pitot-session",
  "x-pitot-priority",
  "x-pitot-timeout-ms",
  "x-pitot-synthetic",
  "x-pitot-synthetic-label",
];
/** What a client says of where it comes from is worth something only from a proxy we trust. */
const ORIGIN_CLAIMS = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-real-ip",
];
/** Set by us, or naming the product behind us, which is nobody's business (RFC 9110 §10.2.4). */
const RESPONSE_ONLY = [
  "x-pitot-replica",
  "x-pitot-attempts",
  "x-pitot-error-source",
  "server",
  "x-powered-by",
];

const TRUSTED_REQUEST_DROPS = new Set([...HOP_BY_HOP, ...REQUEST_ONLY]);
const REQUEST_DROPS = new Set([...TRUSTED_REQUEST_DROPS, ...ORIGIN_CLAIMS]);
const RESPONSE_DROPS = new Set([...HOP_BY_HOP, ...RESPONSE_ONLY]);

/**
 * Meant for the far end: `Connection` cannot nominate them away. Otherwise a client could have the proxy delete what a
 * hop before us added, a key or an origin ("hop-by-hop header abuse").
 */
const END_TO_END = new Set([
  ...ORIGIN_CLAIMS,
  "authorization",
  "baggage",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "date",
  "host",
  "traceparent",
  "tracestate",
  "via",
  "x-api-key",
  "x-request-id",
]);

/** Longest request id taken over from a client. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** What the proxy adds about the hop a request came over. */
export interface Hop {
  /** Client's address. */
  readonly peer: string;
  /** Whether that client is a proxy whose word about the hops before it counts. */
  readonly isTrusted: boolean;
  readonly protocol: "http" | "https";
  /** What the client called us. */
  readonly host: string;
  /** Version and pseudonym for `Via` (RFC 9110 §7.6.3): `1.1 pitot-3f9a`. */
  readonly via: string;
  /** The client's own where it gave a usable one, else ours. */
  readonly requestId: string;
}

/**
 * Request headers for the engine: order, case and repetition kept; without what belongs to this hop, and with where the
 * request came from. `raw` is Node's flat list of names and values.
 */
export function upstreamHeaders(raw: readonly string[], hop: Hop): string[] {
  const dropped = hop.isTrusted ? TRUSTED_REQUEST_DROPS : REQUEST_DROPS;
  const nominated = nominations(raw);
  const kept: string[] = [];
  let hasId = false;
  let hasProtocol = false;
  let hasHost = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (dropped.has(lower) || nominated?.has(lower) === true || isAlias(lower)) continue;
    if (lower === "x-request-id") {
      if (hasId || value !== hop.requestId) continue;
      hasId = true;
    } else if (lower === "x-forwarded-proto") hasProtocol = true;
    else if (lower === "x-forwarded-host") hasHost = true;
    kept.push(name, value);
  }
  if (!hasId) kept.push("x-request-id", hop.requestId);
  kept.push("via", hop.via, "x-forwarded-for", hop.peer);
  if (!hasProtocol) kept.push("x-forwarded-proto", hop.protocol);
  if (!hasHost && hop.host !== "") kept.push("x-forwarded-host", hop.host);
  return kept;
}

/**
 * `headers` with what one replica alone is told: each of its names replaces the client's. Both are flat lists. Left out
 * are `refused` ones (in lower case): what would have that engine work on after its client left.
 */
export function withReplicaHeaders(
  headers: string[],
  own: readonly string[],
  refused: readonly string[] = [],
): string[] {
  const isRefused = refused.some((name) => headerOf(headers, name) !== undefined);
  if (own.length === 0 && !isRefused) return headers;
  const replaced = new Set<string>(refused);
  for (let index = 0; index < own.length; index += 2) replaced.add(own[index]?.toLowerCase() ?? "");
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (!replaced.has(name.toLowerCase())) kept.push(name, headers[index + 1] ?? "");
  }
  kept.push(...own);
  return kept;
}

/** Response headers for the client: the engine's, less what belonged to its connection or names its server. */
export function downstreamHeaders(raw: readonly string[], status: number): string[] {
  const nominated = nominations(raw);
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const lower = name.toLowerCase();
    if (RESPONSE_DROPS.has(lower) || nominated?.has(lower) === true) continue;
    // A 204 has no length to state (RFC 9110 §8.6).
    if (status === 204 && lower === "content-length") continue;
    kept.push(name, raw[index + 1] ?? "");
  }
  return kept;
}

/** Whether a status line may carry it as its reason: llhttp reads more than Node writes. */
export function isReason(text: string | undefined): text is string {
  return text !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** First value of a header in a flat list, or `undefined`. `name` in lower case. */
export function headerOf(raw: readonly string[], name: string): string | undefined {
  for (let index = 0; index < raw.length; index += 2) {
    const candidate = raw[index];
    if (candidate?.length === name.length && candidate.toLowerCase() === name)
      return raw[index + 1];
  }
  return undefined;
}

/** Takes every header of that name (in lower case) out of a flat list. */
export function removeHeader(raw: string[], name: string): void {
  for (let index = raw.length - 2; index >= 0; index -= 2)
    if (raw[index]?.toLowerCase() === name) raw.splice(index, 2);
}

/** A client's request id, when it gave one that is safe in logs, labels and headers. */
export function givenRequestId(raw: readonly string[]): string | null {
  const id = headerOf(raw, "x-request-id");
  return id !== undefined && REQUEST_ID.test(id) ? id : null;
}

/** Names listed in `Connection` beyond the usual two: they too belong to this hop only. `null` when there are none. */
function nominations(raw: readonly string[]): ReadonlySet<string> | null {
  let names: Set<string> | null = null;
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.length !== 10 || raw[index]?.toLowerCase() !== "connection") continue;
    for (const part of (raw[index + 1] ?? "").split(",")) {
      const name = part.trim().toLowerCase();
      if (name === "close" || name === "keep-alive" || END_TO_END.has(name)) continue;
      names ??= new Set();
      names.add(name);
    }
  }
  return names;
}

/**
 * Servers behind CGI-like interfaces read `_`, and some read `.`, as `-`: `Transfer_Encoding` or `X.Forwarded.For` would
 * become there what was just taken out here.
 */
function isAlias(lower: string): boolean {
  if (lower.includes("_")) return true;
  if (!lower.includes(".")) return false;
  const plain = lower.replaceAll(".", "-");
  return REQUEST_DROPS.has(plain) || END_TO_END.has(plain);
}
