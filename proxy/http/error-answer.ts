import { randomUUID } from "node:crypto";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../../engines/clock.ts";
import { type ErrorCode, errorBody, errors, RETRY_AFTER_SECONDS, retryHeaders } from "../errors.ts";
import type { HeldAnswer } from "./attempt-result.ts";
import { announcedBytes } from "./request-body.ts";

/**
 * Of a body nobody wants, this much is still read, for this long, before the connection is closed: closing at once resets
 * it, and the reset may overtake the answer (RFC 9112 §9.6).
 */
const DRAIN_BYTES_MAX = 1_048_576;
const DRAIN_MS = 1_000;

export interface ErrorOptions {
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers with an error of our own, unless an answer has begun. */
export function sendError(
  response: ServerResponse,
  code: ErrorCode,
  options: ErrorOptions = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.end(writeError(response, code, options));
}

/** Passes on an engine's refusal that was held back while others were asked. */
export function sendHeld(response: ServerResponse, held: HeldAnswer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(held.status, held.message, [...held.headers]);
  response.end(held.body);
}

/** A request to be refused, and what with. */
export interface Refusal extends ErrorOptions {
  readonly code: ErrorCode;
  /** The connection's framing can no longer be trusted. */
  readonly closes?: boolean;
}

/**
 * Answers a request whose body was not read. The connection stays where what is left of the body is small and of known
 * length; else it is closed, once the client had a chance to read the answer.
 */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  { code, detail, headers, closes = false }: Refusal,
): void {
  if (response.headersSent || response.destroyed) return;
  const more = { ...(detail === undefined ? {} : { detail }), headers: { ...headers } };
  const isShort = announcedBytes(request) <= DRAIN_BYTES_MAX;
  // A client that still waits for "100 Continue" may send its body or not: only closing tells both sides the same.
  const waits = request.headers.expect !== undefined;
  if (!closes && isShort && !waits && !request.isPaused()) {
    response.end(writeError(response, code, more));
    request.resume();
    return;
  }
  more.headers["connection"] = "close";
  const body = writeError(response, code, more);
  if (request.method === "HEAD") response.flushHeaders();
  else response.write(body);
  if (waits) response.end();
  else endAfterDraining(request, response, clock);
}

function endAfterDraining(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  if (request.complete || announcedBytes(request) === 0) {
    response.end();
    return;
  }
  let bytes = 0;
  const end = (): void => {
    cancel();
    request.off("data", count);
    response.end();
  };
  const count = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > DRAIN_BYTES_MAX) end();
  };
  const cancel = clock.schedule(DRAIN_MS, end);
  request.on("data", count);
  request.once("end", end);
  request.once("close", end);
  request.resume();
}

/** Writes the head of an error and returns its body. */
function writeError(
  response: ServerResponse,
  code: ErrorCode,
  { detail, headers = {} }: ErrorOptions,
): string {
  const body = errorBody(code, detail);
  const length = Buffer.byteLength(body);
  response.writeHead(errors[code].status, { ...errorHeaders(code, length), ...headers });
  return body;
}

/** Answers on a bare socket, where there is no request to answer: the parser gave up on what came. */
export function sendErrorOnSocket(socket: Duplex, code: ErrorCode, clock: Clock): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = errorBody(code);
  const { status } = errors[code];
  const headers = {
    ...errorHeaders(code, Buffer.byteLength(body)),
    "x-request-id": randomUUID(),
    date: new Date(clock.nowMs()).toUTCString(),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? code}\r\n${lines.join("")}\r\n${body}`);
}

function errorHeaders(code: ErrorCode, bodyBytes: number): Record<string, string | number> {
  const retry = retryHeaders(RETRY_AFTER_SECONDS * 1000);
  return {
    "content-type": "application/json",
    "content-length": bodyBytes,
    "x-pitot-error-source": "proxy",
    ...(errors[code].retryable ? retry : {}),
  };
}
