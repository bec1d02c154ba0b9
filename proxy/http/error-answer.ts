import type { ServerResponse } from "node:http";
import { type ErrorCode, errorBody, errors, RETRY_AFTER_SECONDS } from "../errors.ts";

/** Answers with an error of our own, unless an answer has begun. */
export function sendError(
  response: ServerResponse,
  code: ErrorCode,
  {
    detail,
    headers = {},
  }: { readonly detail?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const { status, retryable } = errors[code];
  const body = errorBody(code, detail);
  const retry = retryable
    ? {
        "retry-after": String(RETRY_AFTER_SECONDS),
        "retry-after-ms": String(RETRY_AFTER_SECONDS * 1000),
      }
    : {};
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-pitot-error-source": "proxy",
    ...retry,
    ...headers,
  });
  response.end(body);
}
