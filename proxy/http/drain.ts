import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../engines/clock.ts";
import { Roster } from "../roster.ts";

/** What is cut at the end of the grace gets this long to write its last words. */
const LAST_WORDS_MS = 1_000;

/** A request that can be told that the proxy is going away. */
export interface Stoppable {
  stop(why: "draining"): void;
}

/**
 * Keeps account of a listener's connections and of what runs on them, and winds them down: what runs may finish, every
 * answer closes its connection, and connections on which nothing runs are closed at once. Node's own
 * `closeIdleConnections` leaves those open that never sent a whole request.
 */
export class Drain {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #busy = new Map<Socket, number>();
  readonly #responses = new Roster<ServerResponse>();
  readonly #works = new Roster<Promise<void>>();
  readonly #stoppable = new Roster<Stoppable>();
  #isDraining = false;

  constructor(server: Server, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
      });
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A request has come on `socket`; `work` is done when it is answered. */
  own(socket: Socket, response: ServerResponse, work: Promise<void>): void {
    const answered = this.#responses.add(response);
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    if (this.#isDraining) response.shouldKeepAlive = false;
    response.once("close", () => {
      answered();
      const left = (this.#busy.get(socket) ?? 1) - 1;
      if (left > 0) this.#busy.set(socket, left);
      else this.#busy.delete(socket);
      if (left === 0 && this.#isDraining) socket.destroySoon();
    });
    void work.finally(this.#works.add(work));
  }

  /** While `run` is under way, `request` is told when the grace is over. */
  async during(request: Stoppable, run: () => Promise<void>): Promise<void> {
    const done = this.#stoppable.add(request);
    try {
      await run();
    } finally {
      done();
    }
  }

  /**
   * Winds down: new requests find {@link isDraining} set, what runs may finish within `graceMs`, the rest is told to stop.
   * The listening socket stays open until then, so that whoever still comes is told so instead of being refused.
   * Returns how many requests had to be cut.
   */
  async run(graceMs: number): Promise<number> {
    this.#isDraining = true;
    for (const response of this.#responses)
      if (!response.headersSent) response.shouldKeepAlive = false;
    for (const socket of this.#sockets) if (!this.#busy.has(socket)) socket.destroy();
    await this.#idle(graceMs);
    const cut = this.#stoppable.size;
    for (const request of this.#stoppable) request.stop("draining");
    if (cut > 0) await this.#idle(LAST_WORDS_MS);
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all(this.#works);
    return cut;
  }

  /** Resolves when nothing runs any more, or after `limitMs`. */
  async #idle(limitMs: number): Promise<void> {
    const limit = new AbortController();
    const late = this.#clock.after(limitMs, limit.signal);
    while (this.#works.size > 0 && !limit.signal.aborted) {
      const isOver = await Promise.race([
        Promise.all(this.#works).then(() => false),
        late.then(() => true),
      ]);
      if (isOver) break;
    }
    limit.abort();
  }
}
