import type { Clock } from "../../engines/clock.ts";
import type { ProbeAnswer } from "../../engines/engine.ts";
import { MODELS_PATH } from "../../engines/recognition.ts";
import type { Connection } from "./connection.ts";
import type { ProbeResult } from "./fleet.ts";
import type { Replica } from "./replica.ts";
import { WireError } from "./wire/wire-error.ts";

/** A probe waits this long: longer than a busy engine's event loop, shorter than an operator's patience. */
export const PROBE_TIMEOUT_MS = 3_000;
/** An answer to a probe is read up to this size. */
const PROBE_BYTES_MAX = 4_194_304;

/** Why a certificate was not taken, by the code OpenSSL or Node gives (node:tls, "X509 certificate error codes"). */
const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate comes from an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate comes from an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate comes from an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate comes from an unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired",
  CERT_NOT_YET_VALID: "certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate is for another host name",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS",
};

/** GETs a path of a replica, with the headers that replica alone is told. Never rejects: `status` 0 and the reason in `body` when it could not be had. */
export async function probeGet(
  { pool, headers: own }: Connection,
  path: string,
  signal?: AbortSignal,
): Promise<ProbeAnswer> {
  const limit = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  const both = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  try {
    const { statusCode, headers, body } = await pool.request({
      path,
      method: "GET",
      headers: [...own],
      signal: both,
    });
    const text = await readText(body);
    return { path, status: statusCode, headers: flat(headers), body: text };
  } catch (error) {
    return { path, status: 0, headers: {}, body: reasonOf(error) };
  }
}

/** What kept a connection from working, in words that fit a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  if (error instanceof WireError && error.trouble === "closed") return "connection reset";
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ECONNRESET" || code === "UND_ERR_SOCKET") return "connection reset";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "host name not found";
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "connect timed out";
  const certificate = CERTIFICATE_REASONS[code];
  if (certificate !== undefined) return certificate;
  if (error.name === "TimeoutError") return `no answer within ${PROBE_TIMEOUT_MS / 1000} s`;
  return error.message === "" ? error.name : error.message;
}

/** One timed probe of the replica's own health route. */
export async function probeHealth(replica: Replica, clock: Clock): Promise<ProbeResult> {
  const startedMs = clock.nowMs();
  // Behind a gateway the engine's own routes are not there; its model list is.
  const path = replica.recognition?.direct === false ? MODELS_PATH : replica.engine.paths.health;
  const answer = await probeGet(replica, path);
  const durationMs = clock.nowMs() - startedMs;
  const ok = answer.status >= 200 && answer.status < 400;
  const status = answer.status === 0 ? null : answer.status;
  const message = ok
    ? ""
    : status === null
      ? `${path}: ${answer.body}`
      : `${path} answered ${status}`;
  return { atMs: startedMs, ok, status, durationMs, message };
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > PROBE_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).map(
    ([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")] as const,
  );
  return Object.fromEntries(entries);
}
