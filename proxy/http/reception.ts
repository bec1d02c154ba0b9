import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "../errors.ts";
import { type Arrival, answerOptions, isNext, recordEarly } from "./arrival.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { ClientConnections } from "./client-connections.ts";
import type { Drain } from "./drain.ts";
import { refuse, type Refusal, sendError } from "./error-answer.ts";
import { Forwarding } from "./forward.ts";
import type { MarkReader } from "../synthetic/synthetic-mark.ts";
import type { ForwardServices } from "./forward-services.ts";
import { givenRequestId, type Hop } from "./headers.ts";
import { peekFor, readInferenceRequest } from "./inference-request.ts";
import { OwnRoutes } from "./own-routes.ts";
import { readRequestBody } from "./request-body.ts";
import { type Flaw, flawOf } from "./request-check.ts";
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

  /** Sees one request through. Never rejects. */
  async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = this.#options.clock.nowMs();
    // A client may leave at any moment; its broken socket is an end, not an error.
    response.on("error", () => {});
    const id = randomUUID();
    const requestId = givenRequestId(request.rawHeaders) ?? id;
    const arrival: Arrival = { id, requestId, startedMs, request, response };
    // Sent before the last answer was out: it waits its turn, so that no engine works for what may never be read.
    if (response.socket === null && !(await isNext(arrival))) return;
    this.#options.connections.carries(response);
    const flaw = flawOf(request, this.#pseudonym);
    if (flaw !== null) return this.#refuseFlawed(arrival, flaw);
    const target = readTarget(request.url ?? "/");
    if (target.kind === "odd" || (target.kind === "server" && request.method !== "OPTIONS")) {
      const why = target.kind === "odd" ? target.why : "* is a target for OPTIONS alone";
      return this.#refuseFlawed(arrival, {
        code: "bad_request",
        detail: `The request target cannot be used: ${why}.`,
      });
    }
    if (target.kind === "server") return answerOptions(arrival, null);
    const refusal = this.#refusalOf(target, request);
    if (refusal !== null) {
      this.#refuse(arrival, refusal, target.path);
      if (target.path.startsWith("/v1/"))
        recordEarly(arrival, { path: target.path, code: refusal }, this.#options);
      return;
    }
    if (this.#isOurs(target.path, request)) return this.#answerOurs(arrival, target.path);
    // The last hop it may travel to is this one (RFC 9110 §7.6.2).
    if (request.method === "OPTIONS" && request.headers["max-forwards"] === "0")
      return answerOptions(arrival, "POST, OPTIONS");
    await this.#readAndForward(arrival, target);
  }

  async #readAndForward(arrival: Arrival, target: PathTarget): Promise<void> {
    const { request, response } = arrival;
    const peek = peekFor(request, routeOfPath(target.path));
    if (expectationOf(request) === "continue") response.writeContinue();
    const { bodyBytesMax: bytesMax, bodies: budget } = this.#options;
    const read = await readRequestBody(request, { bytesMax, budget, peek });
    if (read.kind === "body") {
      try {
        await this.#forward(arrival, target, { body: read.body, peek: peek?.result() ?? null });
      } finally {
        read.body.release();
      }
      return;
    }
    if (read.kind === "gone") {
      const late = this.#options.connections.wasLate(request.socket);
      return recordEarly(
        arrival,
        { path: target.path, code: late ? "request_timeout" : null },
        this.#options,
      );
    }
    const code = read.kind === "too-large" ? "body_too_large" : "overloaded";
    this.#refuse(arrival, code, target.path);
    recordEarly(arrival, { path: target.path, code: code }, this.#options);
  }

  async #forward(
    arrival: Arrival,
    target: PathTarget,
    { body, peek }: Pick<Parameters<typeof readInferenceRequest>[1], "body" | "peek">,
  ): Promise<void> {
    const { id, request, response, requestId, startedMs } = arrival;
    const hop = this.#hopOf(arrival);
    const { marks, requestsUsage } = this.#options;
    const parts = { id, target, hop, body, peek, marks, requestsUsage };
    const reading = readInferenceRequest(request, parts);
    if (reading.kind === "request") {
      const forwarding = new Forwarding(this.#options, reading.request, response, startedMs);
      return this.#options.drain.during(forwarding, () => forwarding.run());
    }
    sendError(response, "invalid_json", {
      detail: `The request body is not valid JSON: ${reading.why}.`,
      headers: { "x-request-id": requestId },
    });
    recordEarly(arrival, { path: target.path, code: "invalid_json" }, this.#options);
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

  #answerOurs(arrival: Arrival, path: string): void {
    if (arrival.request.method === "OPTIONS") return answerOptions(arrival, "GET, HEAD, OPTIONS");
    this.#ownRoutes.answer(path, arrival.response, arrival.requestId);
  }

  #refusalOf({ path }: PathTarget, request: IncomingMessage): ErrorCode | null {
    const { method = "GET", headers } = request;
    if (this.#options.connections.isSurplus(request.socket)) return "overloaded";
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

  #refuseFlawed(arrival: Arrival, { code, detail }: Flaw): void {
    this.#answerRefusal(arrival, { code, detail, closes: true });
  }

  #refuse(arrival: Arrival, code: ErrorCode, path: string): void {
    const allow = this.#ownRoutes.has(path) ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
    // A proxy that is going away, or has too many connections, wants fewer of them.
    const closes = code === "draining" || code === "overloaded";
    const headers = code === "method_not_allowed" ? { allow } : {};
    this.#answerRefusal(arrival, { code, closes, headers });
  }

  #answerRefusal({ request, response, requestId }: Arrival, refusal: Refusal): void {
    const headers = { "x-request-id": requestId, ...refusal.headers };
    this.#options.connections.refuses(response);
    refuse(request, response, this.#options.clock, { ...refusal, headers });
  }
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
