import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ListenAddress } from "../config/listen.ts";
import { ClientConnections, type ClientLimits } from "./client-connections.ts";
import { Drain } from "./drain.ts";
import { Reception, type ReceptionOptions } from "./reception.ts";
import { HEADER_FIELDS_MAX } from "./request-check.ts";

export interface ListenerOptions extends Omit<ReceptionOptions, "connections" | "drain"> {
  readonly listen: ListenAddress;
  readonly clients: ClientLimits;
  /** Other threads listen on the same port: the kernel deals connections out among them. */
  readonly shared?: boolean;
}

/** Kept for a client that takes nothing, beside one read from its engine; then the engine is held back. */
const UNSENT_BYTES_MAX = 16_384;

/** The data plane: raw Node requests in, answers out, nothing in between that buffers or rewrites them. */
export class DataListener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #reception: Reception;
  readonly #drain: Drain;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { clients, clock } = options;
    this.#server = createServer({
      headersTimeout: clients.headersMs,
      requestTimeout: clients.requestMs,
      connectionsCheckingInterval: clients.checkMs,
      keepAliveTimeout: clients.keepAliveMs,
      maxHeaderSize: clients.headerBytesMax,
      highWaterMark: UNSENT_BYTES_MAX,
      noDelay: true,
      insecureHTTPParser: false,
      // Checked at the reception instead, so that the refusal has our shape.
      requireHostHeader: false,
    });
    // Above our own limit, so that nothing was dropped when that is checked.
    this.#server.maxHeadersCount = HEADER_FIELDS_MAX * 4;
    const connections = new ClientConnections(this.#server, clock, clients);
    this.#drain = new Drain(this.#server, connections, clock);
    this.#reception = new Reception({ ...options, connections, drain: this.#drain });
    const receive = (request: IncomingMessage, response: ServerResponse): void => {
      this.#reception.receive(request, response);
    };
    this.#server.on("request", receive);
    // Listened to, Node neither says "100 Continue" before we want a body nor refuses other expectations in its own shape.
    this.#server.on("checkContinue", receive);
    this.#server.on("checkExpectation", receive);
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
    return `http://${family === "IPv6" && host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  listen(): Promise<void> {
    const { listen, shared: reusePort = false } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ ...listen, reusePort }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Takes no new requests; what runs may finish within `graceMs`, then it is cut. Returns how many were. */
  async stop(graceMs: number): Promise<number> {
    return this.#server.listening ? this.#drain.run(graceMs) : 0;
  }
}
