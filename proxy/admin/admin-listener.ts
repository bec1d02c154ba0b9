import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { ListenAddress } from "../config/listen.ts";
import { LiveHub } from "../live/hub.ts";
import { adminApp, type AdminOptions, isAuthorised } from "./app.ts";

const LIVE_PATH = "/api/v1/live";

/** The control plane's socket: the Hono app, and the live feed's upgrades beside it. */
export class AdminListener {
  readonly hub: LiveHub;
  readonly #server: Server;
  readonly #token: string | null;
  readonly #listen: ListenAddress;

  constructor(options: AdminOptions & { readonly listen: ListenAddress }) {
    this.#token = options.token;
    this.#listen = options.listen;
    this.hub = new LiveHub({ ...options, bootId: crypto.randomUUID(), mayWrite: true });
    const listener = getRequestListener(adminApp(options).fetch, { overrideGlobalObjects: false });
    this.#server = createServer((request, response) => {
      void listener(request, response);
    });
    this.#server.on("upgrade", (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#listen.port, this.#listen.host, resolve);
    });
  }

  async stop(): Promise<void> {
    this.hub.stop();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {
      socket.destroy();
    });
    const url = new URL(request.url ?? "/", "http://admin");
    // Browsers cannot set headers on a WebSocket, so the token may come in the query.
    const bearer = request.headers.authorization ?? url.searchParams.get("token") ?? undefined;
    const refusal =
      url.pathname !== LIVE_PATH
        ? "404 Not Found"
        : !isAuthorised(bearer, this.#token)
          ? "401 Unauthorized"
          : !sameOrigin(request)
            ? "403 Forbidden"
            : null;
    if (refusal === null) this.hub.accept(request, socket, head);
    else socket.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\n\r\n`);
  }
}

/** A page of another site must not read the feed through its visitor's browser. */
function sameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}
