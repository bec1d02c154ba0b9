import type { Server } from "node:http";
import type { Clock } from "../../engines/clock.ts";
import { Roster } from "../roster.ts";
import type { Arrival } from "./arrival.ts";
import type { ClientConnections } from "./client-connections.ts";

/** What is cut at the end of the grace gets this long to write its last words. */
const LAST_WORDS_MS = 1_000;

/**
 * Keeps account of what runs on a listener's connections and winds it down: what runs may finish, every answer closes its
 * connection, and connections on which nothing runs are closed at once. Node's own `closeIdleConnections` leaves those
 * open that never sent a whole request.
 */
export class Drain {
  readonly #server: Server;
  readonly #connections: ClientConnections;
  readonly #clock: Clock;
  readonly #arrivals = new Roster<Arrival>();
  #isDraining = false;
  #emptied: () => void = () => {};

  constructor(server: Server, connections: ClientConnections, clock: Clock) {
    this.#server = server;
    this.#connections = connections;
    this.#clock = clock;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A request has come. */
  enter(arrival: Arrival): void {
    const { request, response } = arrival;
    const { socket } = request;
    const connection = this.#connections.of(socket);
    connection.busy++;
    if (this.#isDraining) response.shouldKeepAlive = false;
    const leave = this.#arrivals.add(arrival);
    arrival.onOver = () => {
      leave();
      if (this.#arrivals.size === 0) this.#emptied();
    };
    // A client may leave at any moment; its broken socket is an end, not an error.
    response.on("error", ignore);
    response.on("close", () => {
      connection.busy--;
      if (connection.busy === 0 && this.#isDraining) socket.destroySoon();
      arrival.onClose();
    });
  }

  /**
   * Winds down: new requests find {@link isDraining} set, what runs may finish within `graceMs`, the rest is told to stop.
   * The listening socket stays open until then, so that whoever still comes is told so instead of being refused.
   * Returns how many requests had to be cut.
   */
  async run(graceMs: number): Promise<number> {
    this.#isDraining = true;
    for (const { response } of this.#arrivals)
      if (!response.headersSent) response.shouldKeepAlive = false;
    for (const { socket, busy } of this.#connections.all()) if (busy === 0) socket.destroy();
    await this.#idle(graceMs);
    let cut = 0;
    for (const { work } of this.#arrivals) {
      if (work === null) continue;
      cut++;
      work.stop("draining");
    }
    if (cut > 0) await this.#idle(LAST_WORDS_MS);
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const { socket } of this.#connections.all()) socket.destroy();
    await closed;
    await this.#empty();
    return cut;
  }

  /** Resolves when nothing runs any more, or after `limitMs`. */
  async #idle(limitMs: number): Promise<void> {
    const limit = new AbortController();
    await Promise.race([this.#empty(), this.#clock.after(limitMs, limit.signal)]);
    limit.abort();
  }

  #empty(): Promise<void> {
    if (this.#arrivals.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied = resolve;
    });
  }
}

function ignore(): void {}
