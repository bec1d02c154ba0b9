import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ListenAddress } from "../config/listen.ts";
import { type ErrorCode, errorBody, errors } from "../errors.ts";
import { sendError } from "./error-answer.ts";
import { Forwarding, type ForwardServices } from "./forward.ts";
import { HEADER_FIELDS_MAX } from "./headers.ts";
import {
  type InferenceRequest,
  pathOf,
  readInferenceRequest,
  routeOf,
} from "./inference-request.ts";
import { readRequestBody } from "./request-body.ts";

export interface ListenerOptions extends ForwardServices {
  readonly listen: ListenAddress;
  readonly bodyBytesMax: number;
}

/** Time for a request's headers, and for all of it, to arrive. The answer's time is not limited here. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often Node looks for late requests; its default of 30 s makes the limits above fiction. */
const CHECK_PERIOD_MS = 1_000;
/** Longer than a load balancer's usual 60 s, so that it is never us who closes a connection just reused. */
const KEEP_ALIVE_MS = 65_000;
const HEADER_BYTES_MAX = 16_384;
const CONNECTIONS_MAX = 10_000;

/** The data plane: raw Node requests in, answers out, nothing in between that buffers or rewrites them. */
export class DataListener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #running = new Set<Promise<void>>();
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_PERIOD_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
        noDelay: true,
      },
      (request, response) => {
        this.#own(this.#handle(request, response));
      },
    );
    this.#server.maxHeadersCount = HEADER_FIELDS_MAX * 4;
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("clientError", answerBrokenRequest);
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
      this.#server.listen(port, host, resolve);
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
    if (request.rawHeaders.length / 2 > HEADER_FIELDS_MAX)
      return this.#refuse(request, response, "headers_too_large");
    const path = pathOf(request.url ?? "/");
    if (this.#ownRoute(path, request, response)) return;
    const refusal = this.#refusalOf(path, request.method ?? "GET");
    if (refusal !== null) {
      this.#refuse(request, response, refusal);
      if (path.startsWith("/v1/")) this.#record(request, startedMs, refusal);
      return;
    }
    const body = await readRequestBody(request, this.#options.bodyBytesMax);
    if (body.kind === "gone") return this.#record(request, startedMs, null);
    if (body.kind === "too-large") {
      this.#refuse(request, response, "body_too_large");
      return this.#record(request, startedMs, "body_too_large");
    }
    const reading = readInferenceRequest(request, body.bytes);
    if (reading.kind === "broken") {
      sendError(response, "invalid_json", {
        detail: `The request body is not valid JSON: ${reading.why}.`,
      });
      return this.#record(request, startedMs, "invalid_json");
    }
    await this.#forward(reading.request, response, startedMs);
  }

  #forward(request: InferenceRequest, response: ServerResponse, startedMs: number): Promise<void> {
    return new Forwarding(this.#options, request, response, startedMs).run();
  }

  /** Routes the proxy answers itself. */
  #ownRoute(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const answer = {
      "/healthz": () => this.#alive(),
      "/readyz": () => this.#ready(),
      "/v1/models": () => this.#models(),
    }[path];
    if (answer === undefined || (request.method !== "GET" && request.method !== "HEAD"))
      return false;
    const { status, value } = answer();
    const text = JSON.stringify(value);
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    });
    response.end(request.method === "HEAD" ? undefined : text);
    return true;
  }

  #alive(): { status: number; value: object } {
    return { status: 200, value: { status: "ok" } };
  }

  #ready(): { status: number; value: object } {
    const available = [...this.#options.replicas.all()].filter(
      (replica) => replica.available,
    ).length;
    const ready = available > 0 && !this.#draining;
    return { status: ready ? 200 : 503, value: { ready, available, draining: this.#draining } };
  }

  /** The union over replicas that are up, each model once. */
  #models(): { status: number; value: object } {
    const created = Math.floor(this.#options.clock.nowMs() / 1000);
    const ids = new Set(
      [...this.#options.replicas.all()]
        .filter((replica) => replica.available)
        .flatMap((replica) => replica.models),
    );
    const data = [...ids].map((id) => ({ id, object: "model", created, owned_by: "pitot" }));
    return { status: 200, value: { object: "list", data } };
  }

  #refusalOf(path: string, method: string): ErrorCode | null {
    if (this.#draining) return "draining";
    if (method === "TRACE" || method === "CONNECT") return "method_not_allowed";
    if (!path.startsWith("/v1/")) return "not_found";
    const controls = [...this.#options.replicas.all()].flatMap(
      (replica) => replica.engine.paths.control,
    );
    if (controls.some((control) => path === control || path.startsWith(`${control}/`)))
      return "forbidden";
    return routeOf(path) !== "other" && method !== "POST" && method !== "OPTIONS"
      ? "method_not_allowed"
      : null;
  }

  #refuse(request: IncomingMessage, response: ServerResponse, code: ErrorCode): void {
    // The rest of a body nobody reads would be taken for the next request.
    sendError(response, code, { headers: { connection: "close" } });
    request.resume();
  }

  /** A request that ended before it could be forwarded is still one record. */
  #record(request: IncomingMessage, startedMs: number, code: ErrorCode | null): void {
    const { clock, feed } = this.#options;
    const route = routeOf(pathOf(request.url ?? "/"));
    const bytesIn = Number(request.headers["content-length"] ?? 0);
    const timer = new ExchangeTimer(
      {
        id: crypto.randomUUID(),
        origin: "real",
        route,
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

/** What Node's parser refuses still gets an answer in our shape, when there is someone to get it. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const code: ErrorCode =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "headers_too_large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "request_timeout"
        : "bad_request";
  const body = errorBody(code);
  socket.end(
    `HTTP/1.1 ${errors[code].status} ${code}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-pitot-error-source: proxy\r\nconnection: close\r\n\r\n${body}`,
  );
}
