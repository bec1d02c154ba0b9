import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Persona } from "./personas/persona.ts";

/** Headers and connection rules of the engine's own HTTP server, in place of Node's. */
export function dressAnswer(
  { server, connections }: Persona,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { sendsDate, keepAlive, requestsMax } = connections;
  response.setHeader("server", server);
  response.sendDate = sendsDate;
  const served = countOn(request.socket);
  const isLast = requestsMax !== null && served >= requestsMax;
  if (isLast || !response.shouldKeepAlive) {
    response.setHeader("connection", "close");
    return;
  }
  // None of the four says that it keeps the connection; Node would.
  response.removeHeader("connection");
  if (keepAlive !== null) response.setHeader("keep-alive", keepAlive);
}

const SERVED = Symbol("requests served");

/** How many requests this connection has carried, this one included. */
function countOn(socket: Socket & { [SERVED]?: number }): number {
  return (socket[SERVED] = (socket[SERVED] ?? 0) + 1);
}
