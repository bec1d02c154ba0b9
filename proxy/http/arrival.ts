import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../engines/clock.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { type ErrorCode, errors } from "../errors.ts";
import type { Feed } from "../telemetry/feed.ts";
import { givenRequestId } from "./headers.ts";
import { announcedBytes } from "./request-body.ts";
import { routeOfPath } from "../../engines/inference-routes.ts";

/** A request that can be told that the proxy is going away. */
export interface Stoppable {
  stop(why: "draining"): void;
}

/** One request on its way through: what is known of it at the door, and whom to tell when it can get no answer any more. */
export class Arrival {
  readonly id = randomUUID();
  /** The client's own where it gave a usable one. */
  readonly requestId: string;
  readonly startedMs: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Called once when its answer is out or its client has left, whichever is first. */
  onClose: () => void = () => {};
  /** Called once when nothing is left to be done for it. */
  onOver: () => void = () => {};
  /** What carries it, while it is carried. */
  work: Stoppable | null = null;
  #isOver = false;

  constructor(request: IncomingMessage, response: ServerResponse, startedMs: number) {
    this.request = request;
    this.response = response;
    this.startedMs = startedMs;
    this.requestId = givenRequestId(request.rawHeaders) ?? this.id;
  }

  /** Everything is done: answered and recorded, or given up. Harmless when said already. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.work = null;
    this.onOver();
  }
}

/** Calls `take` once a pipelined request's turn to be answered has come; it is over when its client left before. */
export function whenNext(arrival: Arrival, take: () => void): void {
  const { request, response } = arrival;
  response.once("socket", take);
  request.once("close", () => {
    if (response.socket !== null) return;
    response.off("socket", take);
    arrival.over();
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
