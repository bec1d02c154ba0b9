import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../clock.ts";

/** How often, and how long apart, a port that is still held is asked for again after a restart. */
const REOPEN_TRIES = 50;
const REOPEN_EVERY_MS = 100;

/**
 * The port of a simulated engine, apart from the HTTP behind it: it can be shut while those inside stay, opened again,
 * or let people in late. Node's own HTTP server can do none of these.
 */
export class Door {
  /** Connections wait so long before anybody looks at them. */
  acceptDelayMs = 0;
  readonly #clock: Clock;
  readonly #enter: (socket: Socket) => void;
  readonly #inside = new Set<Socket>();
  #wanted = false;
  #server: Server | null = null;
  #address: AddressInfo | null = null;

  constructor(clock: Clock, enter: (socket: Socket) => void) {
    this.#clock = clock;
    this.#enter = enter;
  }

  /** Where it is, or last was, open. */
  get address(): AddressInfo | null {
    return this.#address;
  }

  get open(): boolean {
    return this.#server !== null;
  }

  /** Connections that are open now. */
  get inside(): number {
    return this.#inside.size;
  }

  /** Starts to listen. Rejects when the port is taken. */
  async listen(host: string, port: number): Promise<void> {
    this.#wanted = true;
    if (this.#server !== null) return;
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      this.#admit(socket);
    });
    this.#server = server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
      });
    } catch (error) {
      this.#server = null;
      throw error;
    }
    this.#address = server.address() as AddressInfo;
  }

  /** Listens again where it did, waiting for the port to be free. */
  async reopen(): Promise<void> {
    const { address: host = "127.0.0.1", port = 0 } = this.#address ?? {};
    for (let tries = 1; ; tries++) {
      try {
        await this.listen(host, port);
        return;
      } catch (error) {
        if (tries === REOPEN_TRIES) throw error;
        await this.#clock.after(REOPEN_EVERY_MS);
        // It may have been shut in the meantime.
        if (!this.#wanted) return;
      }
    }
  }

  /** Refuses new connections; those inside stay, and the port is free at once. */
  shut(): void {
    this.#wanted = false;
    this.#server?.close();
    this.#server = null;
  }

  /** Cuts every connection at once. */
  cutAll(): void {
    for (const socket of this.#inside) socket.resetAndDestroy();
  }

  #admit(socket: Socket): void {
    this.#inside.add(socket);
    socket.once("close", () => {
      this.#inside.delete(socket);
    });
    socket.on("error", ignore);
    const enter = (): void => {
      socket.off("error", ignore);
      if (socket.destroyed) return;
      this.#enter(socket);
      socket.resume();
    };
    if (this.acceptDelayMs > 0) this.#clock.schedule(this.acceptDelayMs, enter);
    else enter();
  }
}

/** A client that leaves before it was let in is nobody's error. */
function ignore(): void {}
