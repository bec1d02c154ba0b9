import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../engines/clock.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { type ErrorCode, errors } from "../errors.ts";
import type { Feed } from "../telemetry/feed.ts";
import { announcedBytes } from "./request-body.ts";
import { routeOfPath } from "../../engines/inference-routes.ts";

/** One request on its way through the reception. */
export interface Arrival {
  readonly id: string;
  readonly requestId: string;
  readonly startedMs: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Resolves once a pipelined request's turn to be answered has come; false when its client left before. */
export function isNext({ request, response }: Arrival): Promise<boolean> {
  return new Promise((resolve) => {
    response.once("socket", () => {
      resolve(true);
    });
    request.once("close", () => {
      resolve(response.socket !== null);
    });
  });
}

/** Answers OPTIONS without asking an engine. */
export function answerOptions({ response, requestId }: Arrival, allow: string | null): void {
  response.writeHead(204, { "x-request-id": requestId, ...(allow === null ? {} : { allow }) });
  response.end();
}

/** How a request ended that never came as far as a replica. */
export interface EarlyEnd {
  readonly path: string;
  /** `null`: the client left. */
  readonly code: ErrorCode | null;
}

/** A request that ended before it could be forwarded is still one record. */
export function recordEarly(
  { id, request, startedMs }: Arrival,
  { path, code }: EarlyEnd,
  { clock, feed }: { readonly clock: Clock; readonly feed: Feed },
): void {
  const announced = announcedBytes(request);
  const bytesIn = Number.isFinite(announced) ? announced : 0;
  const route = routeOfPath(path);
  const start = {
    id,
    origin: "real",
    route,
    model: "",
    streamed: false,
    startedMs,
    bytesIn,
  } as const;
  const timer = new ExchangeTimer(start, clock);
  feed.began(timer);
  feed.closed(
    timer,
    timer.end(
      code === null
        ? { kind: "cancelled" }
        : { kind: "rejected", code, status: errors[code].status },
    ),
  );
}
