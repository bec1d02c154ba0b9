import { X509Certificate } from "node:crypto";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { type ConnectionOptions as SocketOptions, createSecureContext } from "node:tls";
import { Pool } from "undici";
import { KEEP_ALIVE_MS } from "./wire/lanes.ts";

/** Questions of ours under way at one engine at most: its health, its models, its statistics. */
const ASKING_CONNECTIONS_MAX = 32;
/** Longer than any probe waits: only frees the socket. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What an engine behind a URL wants of those who connect. Belongs to that replica alone and is never shown. */
export interface ConnectionOptions {
  /** Sent as `Authorization: Bearer …`, in place of what the client sent. */
  readonly apiKey?: string;
  /** Sent with every request and probe; each replaces a header of that name the client sent. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions;
}

export interface TlsOptions {
  /** Certificates in PEM to trust instead of the machine's own list. */
  readonly ca?: string | readonly string[];
  /** Take any certificate: for a test bench, never across a network that is not yours. */
  readonly insecure?: boolean;
  /** Name the certificate must carry where it differs from the URL's host. */
  readonly serverName?: string;
  /** Our own certificate and key in PEM, for engines that ask for one. */
  readonly cert?: string;
  readonly key?: string;
}

/** Where questions to one origin are asked, with what that origin alone is told. Answers to clients come over `wire/`. */
export interface Connection {
  readonly pool: Pool;
  /** Flat list of names and values, as undici takes it. */
  readonly headers: readonly string[];
}

/** Connects lazily: nothing is opened before the first request. The caller closes the pool. */
export function openConnection(origin: string, options: ConnectionOptions = {}): Connection {
  const pool = new Pool(origin, {
    connections: ASKING_CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // Whoever asks says how long it waits.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...socketOptions(options.tls) },
  });
  return { pool, headers: ownHeaders(options) };
}

/** The same as node:tls takes it. */
export function socketOptions({ ca, insecure, serverName, cert, key }: TlsOptions = {}): Pick<
  SocketOptions,
  "ca" | "cert" | "key" | "rejectUnauthorized" | "servername"
> {
  return {
    ...(ca === undefined ? {} : { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function ownHeaders({ apiKey, headers }: ConnectionOptions): readonly string[] {
  const own = Object.entries(headers ?? {}).flat();
  return apiKey === undefined ? own : ["authorization", `Bearer ${apiKey}`, ...own];
}

/** What cannot be used of a description, in one sentence, or `null`. Names the field, never its content. */
export function connectionFault(options: ConnectionOptions): string | null {
  const { tls = {} } = options;
  const own = ownHeaders(options);
  for (let index = 0; index + 1 < own.length; index += 2) {
    const [name = "", value = ""] = own.slice(index, index + 2);
    if (!isHeader(name, value))
      return `header "${name}" cannot be sent: HTTP does not allow a character of its name or value.`;
  }
  const context = { cert: tls.cert, key: tls.key };
  try {
    // A text without any certificate would be taken in silence, and nobody trusted.
    for (const text of tls.ca === undefined ? [] : [tls.ca].flat()) void new X509Certificate(text);
    createSecureContext(tls.ca === undefined ? context : { ...context, ca: [tls.ca].flat() });
    return null;
  } catch {
    return "a certificate under tls cannot be read: give ca, cert and key as PEM, cert and key together.";
  }
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
