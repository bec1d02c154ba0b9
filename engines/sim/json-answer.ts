import type { IncomingMessage, ServerResponse } from "node:http";
import type { JsonValue } from "../engine.ts";
import { BodyError } from "./body-error.ts";

/** Largest request body taken: llama.cpp's own limit, the smallest of the four that have one. */
const BODY_BYTES_MAX = 104_857_600;

/** Sends a JSON answer, or cuts the connection when one has begun. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: JsonValue,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = JSON.stringify(value);
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** The whole body as text. @throws {BodyError} when it is larger than anything sensible. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new BodyError("body", "the request body is too large.");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}
