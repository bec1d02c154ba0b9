import { X509Certificate } from "node:crypto";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { type ConnectionOptions as SocketOptions, createSecureContext } from "node:tls";
import { Pool } from "undici";
import { Lane } from "./lane.ts";

/** Connections to one replica at most: above an engine's batch more would only wait inside it. */
export const CONNECTIONS_MAX = 1024;
/** All four engines close idle connections after 5 s; ours must be the first to let go. */
const KEEP_ALIVE_MS = 3_000;
/** Only frees the socket: the limit that counts is `connectMs` of http/deadlines.ts, which is shorter. */
/** Read ahead of a client that takes nothing, beside the one read of up to 64 KiB that is under way then. */
const READ_AHEAD_BYTES = 16_384;
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

/** Connections to one origin, with what that origin alone is told. */
export interface Connection {
  readonly pool: Pool;
  /** A connection of its own for one request; the caller closes it. */
  readonly freshLane: () => Lane;
  /** Flat list of names and values, as undici takes it. */
  readonly headers: readonly string[];
}

/** Connects lazily: nothing is opened before the first request. The caller closes the pool. */
export function openConnection(origin: string, options: ConnectionOptions = {}): Connection {
  const lanes = {
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // Deadlines are ours: undici's would cut a long prefill at five minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      highWaterMark: READ_AHEAD_BYTES,
      ...socketOptions(options.tls),
    },
  };
  const pool = new Pool(origin, {
    ...lanes,
    connections: CONNECTIONS_MAX,
    factory: (to, options) => new Lane(to, options),
  });
  return { pool, freshLane: () => new Lane(origin, lanes), headers: ownHeaders(options) };
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
