import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock } from "../../engines/clock.ts";
import { type ConnectionOptions, socketOptions } from "../upstream/connection.ts";
import type { TlsFacts } from "./examination.ts";

/** A server that takes longer to be reached is not reached. */
const CONNECT_LIMIT_MS = 3_000;
const DAY_MS = 86_400_000;

/** One connection outside any pool: nobody but the server closes it, so what the server does can be watched. */
export interface RawConnection {
  readonly socket: Socket;
  readonly connectMs: number;
  readonly tls: TlsFacts | null;
}

/** Connects to an origin. Rejects with the socket's own error; its `code` says what was in the way. */
export async function openRaw(
  origin: string,
  options: ConnectionOptions,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<RawConnection> {
  const { protocol, hostname, port } = new URL(origin);
  const isTls = protocol === "https:";
  // Brackets belong to the URL, not to the address.
  const host = hostname.replace(/^\[|\]$/g, "");
  const to = { host, port: port === "" ? (isTls ? 443 : 80) : Number(port), signal };
  const startedMs = clock.nowMs();
  const socket = isTls
    ? connectTls({ ...to, ...nameFor(host), ...socketOptions(options.tls) })
    : connectTcp(to);
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(CONNECT_LIMIT_MS, () => {
      socket.destroy(Object.assign(new Error("connect timed out"), { code: "ETIMEDOUT" }));
    });
    socket.once("error", reject);
    socket.once(isTls ? "secureConnect" : "connect", resolve);
  });
  socket.setTimeout(0);
  socket.removeAllListeners("error");
  // From here on an error is the server's way of closing.
  socket.on("error", () => {});
  const connectMs = clock.nowMs() - startedMs;
  return { socket, connectMs, tls: isTls ? tlsFacts(socket as TLSSocket, clock) : null };
}

/** Server names are for names alone (RFC 6066 §3). */
function nameFor(host: string): { readonly servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

function tlsFacts(socket: TLSSocket, clock: Clock): TlsFacts {
  const certificate = socket.getPeerCertificate();
  const validToMs = Date.parse(certificate.valid_to);
  return {
    protocol: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher().standardName ?? socket.getCipher().name,
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    validTo: new Date(validToMs).toISOString(),
    daysLeft: Math.floor((validToMs - clock.nowMs()) / DAY_MS),
    isTrusted: socket.authorized,
  };
}

function nameOf(subject: {
  readonly CN?: string | string[];
  readonly O?: string | string[];
}): string {
  return [subject.CN ?? subject.O ?? "unnamed"].flat().join(", ");
}

/** What an idle connection came to. */
export interface IdleFacts {
  readonly closedAfterMs: number | null;
  readonly watchedMs: number;
}

/**
 * Sends one GET, waits for the last byte of its answer, and watches how long the server keeps the silent connection.
 * Closes it in the end, at the latest when `signal` aborts.
 */
export async function watchIdle(
  { socket }: RawConnection,
  request: { readonly head: string; readonly watchMs: number },
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<IdleFacts> {
  const stop = new AbortController();
  const over = AbortSignal.any([stop.signal, signal]);
  let lastByteMs = clock.nowMs();
  let isClosed = false;
  const close = (): void => {
    isClosed = true;
    stop.abort();
  };
  socket.on("data", () => {
    lastByteMs = clock.nowMs();
  });
  socket.once("end", close);
  socket.once("close", close);
  socket.write(request.head);
  for (;;) {
    const leftMs = lastByteMs + request.watchMs - clock.nowMs();
    if (isClosed || leftMs <= 0 || over.aborted) break;
    await clock.after(leftMs, over);
  }
  const silentMs = clock.nowMs() - lastByteMs;
  const closedAfterMs = isClosed ? silentMs : null;
  socket.destroy();
  return { closedAfterMs, watchedMs: Math.min(silentMs, request.watchMs) };
}

/** The head of a GET as bytes on the wire. */
export function getHead(origin: string, path: string, headers: readonly string[]): string {
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${new URL(origin).host}`];
  for (let index = 0; index + 1 < headers.length; index += 2)
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
