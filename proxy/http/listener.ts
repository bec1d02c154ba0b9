import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { routeOfPath } from "../../engines/inference-routes.ts";
import type { ListenAddress } from "../config/listen.ts";
import { type ErrorCode, errors } from "../errors.ts";
import type { BodyBudget } from "./body-budget.ts";
import { ClientConnections, type ClientLimits } from "./client-connections.ts";
import { refuse, type Refusal, sendError } from "./error-answer.ts";
import { Forwarding } from "./forward.ts";
import type { ForwardServices } from "./forward-services.ts";
import { givenRequestId, type Hop } from "./headers.ts";
import { peekFor, readInferenceRequest } from "./inference-request.ts";
import { OwnRoutes } from "./own-routes.ts";
import { announcedBytes, readRequestBody } from "./request-body.ts";
import { type Flaw, flawOf, HEADER_FIELDS_MAX } from "./request-check.ts";
import { isControlPath, readTarget, type Target } from "./request-target.ts";
import { plainAddress, type TrustedPeers } from "./trusted-peers.ts";

export interface ListenerOptions extends ForwardServices {
  readonly listen: ListenAddress;
  readonly bodyBytesMax: number;
  readonly bodies: BodyBudget;
  readonly clients: ClientLimits;
  readonly trusted: TrustedPeers;
}

/** One request on its way through the listener. */
interface Arrival {
  readonly id: string;
  readonly requestId: string;
  readonly startedMs: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type PathTarget = Extract<Target, { kind: "path" }>;

/** The data plane: raw Node requests in, answers out, nothing in between that buffers or rewrites them. */
export class DataListener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #connections: ClientConnections;
  readonly #ownRoutes: OwnRoutes;
  /** Our name in `Via`: of this process, so that one Pitot behind another is no loop. */
  readonly #pseudonym = `pitot-${randomUUID().slice(0, 8)}`;
  readonly #running = new Set<Promise<void>>();
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { clients, clock, replicas } = options;
    this.#server = createServer({
      headersTimeout: clients.headersMs,
      requestTimeout: clients.requestMs,
      connectionsCheckingInterval: clients.checkMs,
      keepAliveTimeout: clients.keepAliveMs,
      maxHeaderSize: clients.headerBytesMax,
      noDelay: true,
      insecureHTTPParser: false,
      // Checked here instead, so that the refusal has our shape.
      requireHostHeader: false,
    });
    // Above our own limit, so that nothing was dropped when that is checked.
    this.#server.maxHeadersCount = HEADER_FIELDS_MAX * 4;
    this.#connections = new ClientConnections(this.#server, clock, clients);
    this.#ownRoutes = new OwnRoutes({ clock, replicas, isDraining: () => this.#draining });
    this.#server.on("request", (request, response) => {
      this.#own(this.#handle(request, response));
    });
    // With these two listened to, Node neither says "100 Continue" before we want a body nor answers in its own shape.
    this.#server.on("checkContinue", (request, response) => {
      this.#own(this.#handle(request, response));
    });
    this.#server.on("checkExpectation", (request, response) => {
      this.#own(this.#handle(request, response));
    });
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
    return `http://${family === "IPv6" && host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Takes no new requests; what runs may finish within `graceMs`, then it is cut. */
  async stop(graceMs: number): Promise<void> {
    this.#draining = true;
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    const limit = new AbortController();
    await Promise.race([
      Promise.all(this.#running),
      this.#options.clock.after(graceMs, limit.signal),
    ]);
    limit.abort();
    this.#server.closeAllConnections();
    await closed;
    await Promise.all(this.#running);
  }

  #own(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => {
      this.#running.delete(work);
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = this.#options.clock.nowMs();
    // A client may leave at any moment; its broken socket is an end, not an error.
    response.on("error", () => {});
    const id = randomUUID();
    const requestId = givenRequestId(request.rawHeaders) ?? id;
    const arrival: Arrival = { id, requestId, startedMs, request, response };
    // Sent before the last answer was out: it waits its turn, so that no engine works for what may never be read.
    if (response.socket === null && !(await isNext(request, response))) return;
    this.#connections.carries(response);
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
      if (target.path.startsWith("/v1/")) this.#record(arrival, target.path, refusal);
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
    if (request.headers.expect !== undefined && request.httpVersion === "1.1")
      response.writeContinue();
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
      const late = this.#connections.wasLate(request.socket);
      return this.#record(arrival, target.path, late ? "request_timeout" : null);
    }
    const code = read.kind === "too-large" ? "body_too_large" : "overloaded";
    this.#refuse(arrival, code, target.path);
    this.#record(arrival, target.path, code);
  }

  async #forward(
    arrival: Arrival,
    target: PathTarget,
    { body, peek }: Pick<Parameters<typeof readInferenceRequest>[1], "body" | "peek">,
  ): Promise<void> {
    const { id, request, response, requestId, startedMs } = arrival;
    const hop = this.#hopOf(arrival);
    const reading = readInferenceRequest(request, { id, target, hop, body, peek });
    if (reading.kind === "request")
      return new Forwarding(this.#options, reading.request, response, startedMs).run();
    sendError(response, "invalid_json", {
      detail: `The request body is not valid JSON: ${reading.why}.`,
      headers: { "x-request-id": requestId },
    });
    this.#record(arrival, target.path, "invalid_json");
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
    if (this.#connections.isSurplus(request.socket)) return "overloaded";
    if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect))
      return "expectation_failed";
    if (method === "TRACE" || method === "CONNECT") return "method_not_allowed";
    if (headers.upgrade !== undefined && /\bwebsocket\b/i.test(headers.upgrade))
      return "upgrade_not_supported";
    if (this.#isOurs(path, request)) return null;
    if (this.#draining) return "draining";
    if (!path.startsWith("/v1/")) return "not_found";
    if (isControlPath(path)) return "forbidden";
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
    this.#connections.refuses(response);
    refuse(request, response, this.#options.clock, { ...refusal, headers });
  }

  /** A request that ended before it could be forwarded is still one record. */
  #record({ id, request, startedMs }: Arrival, path: string, code: ErrorCode | null): void {
    const { clock, feed } = this.#options;
    const announced = announcedBytes(request);
    const bytesIn = Number.isFinite(announced) ? announced : 0;
    const timer = new ExchangeTimer(
      {
        id,
        origin: "real",
        route: routeOfPath(path),
        model: "",
        streamed: false,
        startedMs,
        bytesIn,
      },
      clock,
    );
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
}

/** Resolves once a pipelined request's turn to be answered has come; false when its client left before. */
function isNext(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    response.once("socket", () => {
      resolve(true);
    });
    request.once("close", () => {
      resolve(response.socket !== null);
    });
  });
}

function answerOptions({ response, requestId }: Arrival, allow: string | null): void {
  response.writeHead(204, { "x-request-id": requestId, ...(allow === null ? {} : { allow }) });
  response.end();
}
