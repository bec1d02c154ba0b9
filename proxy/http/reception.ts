import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "../errors.ts";
import { answerOptions, Arrival, recordEarly, whenNext } from "./arrival.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { ClientConnection, ClientConnections } from "./client-connections.ts";
import type { Drain } from "./drain.ts";
import { refuse, type Refusal, sendError } from "./error-answer.ts";
import { Forwarding } from "./forward.ts";
import type { MarkReader } from "../synthetic/synthetic-mark.ts";
import type { ForwardServices } from "./forward-services.ts";
import type { Hop } from "./headers.ts";
import { peekFor, readInferenceRequest } from "./inference-request.ts";
import { OwnRoutes } from "./own-routes.ts";
import { RequestBody } from "./request-body.ts";
import { flawOf } from "./request-check.ts";
import { isControlPath, readTarget, type Target } from "./request-target.ts";
import { plainAddress, type TrustedPeers } from "./trusted-peers.ts";
import { routeOfPath } from "../../engines/inference-routes.ts";

export interface ReceptionOptions extends ForwardServices {
  readonly bodyBytesMax: number;
  readonly bodies: BodyBudget;
  readonly trusted: TrustedPeers;
  readonly connections: ClientConnections;
  readonly drain: Drain;
  /** Knows requests of our own sweeps; without one there are none. */
  readonly marks?: MarkReader;
  /** Whether streaming engines are asked for usage on the client's behalf, which is taken out again. */
  readonly requestsUsage: boolean;
}

type PathTarget = Extract<Target, { kind: "path" }>;

/** Takes requests as Node hands them out: refuses what must not go further, answers what is ours, forwards the rest. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #ownRoutes: OwnRoutes;
  /** Our name in `Via`: of this process, so that one Pitot behind another is no loop. */
  readonly #pseudonym = `pitot-${randomUUID().slice(0, 8)}`;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    const { clock, replicas, drain } = options;
    this.#ownRoutes = new OwnRoutes({ clock, replicas, isDraining: () => drain.isDraining });
  }

  /** Sees one request through. Never throws: what nobody expected is told and answered, and the others go on. */
  receive(request: IncomingMessage, response: ServerResponse): void {
    const arrival = new Arrival(request, response, this.#options.clock.nowMs());
    this.#options.drain.enter(arrival);
    const take = (): void => {
      this.#guarded(arrival, () => {
        this.#take(arrival);
      });
    };
    // Sent before the last answer was out: it waits its turn, so that no engine works for what may never be read.
    if (response.socket === null) whenNext(arrival, take);
    else take();
  }

  #take(arrival: Arrival): void {
    const { request, response } = arrival;
    const connection = this.#options.connections.of(request.socket);
    connection.answer = response;
    connection.isRefused = false;
    const target = this.#targetOf(arrival, connection);
    if (target === null) arrival.over();
    else this.#read(arrival, target, connection);
  }

  /** What it asks of an engine; `null` when it has been answered here. */
  #targetOf(arrival: Arrival, connection: ClientConnection): PathTarget | null {
    const { request } = arrival;
    const refuse = (refusal: Refusal): null => {
      this.#answerRefusal(arrival, connection, refusal);
      return null;
    };
    const flaw = flawOf(request, this.#pseudonym);
    if (flaw !== null) return refuse({ ...flaw, closes: true });
    const target = readTarget(request.url ?? "/");
    if (target.kind === "odd" || (target.kind === "server" && request.method !== "OPTIONS")) {
      const why = target.kind === "odd" ? target.why : "* is a target for OPTIONS alone";
      const detail = `The request target cannot be used: ${why}.`;
      return refuse({ code: "bad_request", detail, closes: true });
    }
    if (target.kind === "server") return answered(arrival, null);
    const code = this.#refusalOf(target, request, connection);
    if (code !== null) {
      refuse(this.#refusal(code, target.path));
      if (target.path.startsWith("/v1/"))
        recordEarly(arrival, { path: target.path, code }, this.#options);
      return null;
    }
    if (this.#isOurs(target.path, request)) {
      if (request.method === "OPTIONS") return answered(arrival, "GET, HEAD, OPTIONS");
      this.#ownRoutes.answer(target.path, arrival.response, arrival.requestId);
      return null;
    }
    // The last hop it may travel to is this one (RFC 9110 §7.6.2).
    if (request.method === "OPTIONS" && request.headers["max-forwards"] === "0")
      return answered(arrival, "POST, OPTIONS");
    return target;
  }

  #read(arrival: Arrival, target: PathTarget, connection: ClientConnection): void {
    const { request, response } = arrival;
    const { path } = target;
    const peek = peekFor(request, routeOfPath(path));
    if (expectationOf(request) === "continue") response.writeContinue();
    const { bodyBytesMax: bytesMax, bodies: budget } = this.#options;
    const body = new RequestBody(request, { bytesMax, budget, peek }, (read) => {
      this.#guarded(arrival, () => {
        if (read.kind === "body") {
          this.#forward(arrival, target, { body: read.body, peek: peek?.result() ?? null });
          return;
        }
        let code: ErrorCode | null = null;
        if (read.kind === "too-large") code = "body_too_large";
        else if (read.kind === "no-room") code = "overloaded";
        else if (connection.isLate) code = "request_timeout";
        if (read.kind !== "gone" && code !== null)
          this.#answerRefusal(arrival, connection, this.#refusal(code, path));
        recordEarly(arrival, { path, code }, this.#options);
        arrival.over();
      });
    });
    arrival.onClose = () => {
      body.gone();
    };
  }

  #forward(
    arrival: Arrival,
    target: PathTarget,
    { body, peek }: Pick<Parameters<typeof readInferenceRequest>[1], "body" | "peek">,
  ): void {
    const { id, request, requestId } = arrival;
    const hop = this.#hopOf(arrival);
    const { marks, requestsUsage } = this.#options;
    const parts = { id, target, hop, body, peek, marks, requestsUsage };
    const reading = readInferenceRequest(request, parts);
    if (reading.kind === "request") {
      new Forwarding(this.#options, reading.request, arrival).start();
      return;
    }
    body.release();
    sendError(arrival.response, "invalid_json", {
      detail: `The request body is not valid JSON: ${reading.why}.`,
      headers: { "x-request-id": requestId },
    });
    recordEarly(arrival, { path: target.path, code: "invalid_json" }, this.#options);
    arrival.over();
  }

  #guarded(arrival: Arrival, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onFault(error);
      sendError(arrival.response, "internal_error");
      if (!arrival.response.writableEnded) arrival.response.destroy();
      arrival.over();
    }
  }

  #hopOf({ request, requestId }: Arrival): Hop {
    const peer = plainAddress(request.socket.remoteAddress);
    return {
      peer,
      isTrusted: this.#options.trusted.trusts(peer),
      protocol: "http",
      host: request.headers.host ?? "",
      via: `${request.httpVersion} ${this.#pseudonym}`,
      requestId,
    };
  }

  #isOurs(path: string, { method }: IncomingMessage): boolean {
    return (
      this.#ownRoutes.has(path) && (method === "GET" || method === "HEAD" || method === "OPTIONS")
    );
  }

  #refusalOf(
    { path }: PathTarget,
    request: IncomingMessage,
    connection: ClientConnection,
  ): ErrorCode | null {
    const { method = "GET", headers } = request;
    if (connection.isSurplus) return "overloaded";
    if (expectationOf(request) === "other") return "expectation_failed";
    if (method === "TRACE" || method === "CONNECT") return "method_not_allowed";
    if (headers.upgrade !== undefined && /\bwebsocket\b/i.test(headers.upgrade))
      return "upgrade_not_supported";
    if (this.#isOurs(path, request)) return null;
    if (this.#options.drain.isDraining) return "draining";
    if (!path.startsWith("/v1/")) return "not_found";
    if (isControlPath(path)) return "forbidden";
    if (saidBytes(request) > this.#options.bodyBytesMax) return "body_too_large";
    return routeOfPath(path) !== "other" && method !== "POST" && method !== "OPTIONS"
      ? "method_not_allowed"
      : null;
  }

  #refusal(code: ErrorCode, path: string): Refusal {
    const allow = this.#ownRoutes.has(path) ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
    // A proxy that is going away, or has too many connections, wants fewer of them.
    const closes = code === "draining" || code === "overloaded";
    const headers = code === "method_not_allowed" ? { allow } : {};
    return { code, closes, headers };
  }

  #answerRefusal(arrival: Arrival, connection: ClientConnection, refusal: Refusal): void {
    const { request, response, requestId } = arrival;
    const headers = { "x-request-id": requestId, ...refusal.headers };
    connection.isRefused = true;
    refuse(request, response, this.#options.clock, { ...refusal, headers });
  }
}

function answered(arrival: Arrival, allow: string | null): null {
  answerOptions(arrival, allow);
  return null;
}

/** The length a body is said to have; 0 for one that comes in chunks, which is counted as it comes. */
function saidBytes({ headers }: IncomingMessage): number {
  return Number(headers["content-length"] ?? 0);
}

/** What a request wants to hear before it sends its body; HTTP/1.0 knew no such thing (RFC 9110 §10.1.1). */
function expectationOf({ headers, httpVersion }: IncomingMessage): "none" | "continue" | "other" {
  if (headers.expect === undefined || httpVersion === "1.0") return "none";
  return /^100-continue$/i.test(headers.expect) ? "continue" : "other";
}
