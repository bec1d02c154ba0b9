import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../engines/clock.ts";
import type { ErrorCode } from "../errors.ts";
import { connectionsWithin } from "./open-files.ts";
import { sendErrorOnSocket } from "./error-answer.ts";

/** What one client, and all of them, may take of the listener. */
export interface ClientLimits {
  /** For a request's headers to arrive. The answer's time is not limited here. */
  readonly headersMs: number;
  /** For all of a request to arrive. */
  readonly requestMs: number;
  /** How often late requests are looked for. */
  readonly checkMs: number;
  /** Between two requests of one connection. */
  readonly keepAliveMs: number;
  readonly headerBytesMax: number;
  readonly connectionsMax: number;
  /** From one address. */
  readonly connectionsPerSourceMax: number;
  /** Files the process may hold open: fewer connections are taken where these would not suffice. */
  readonly openFilesMax: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  headersMs: 10_000,
  requestMs: 60_000,
  // Node's default of 30 s makes the two above fiction.
  checkMs: 1_000,
  // Longer than a load balancer's usual 60 s, so that it is never us who closes a connection just reused.
  keepAliveMs: 65_000,
  headerBytesMax: 16_384,
  connectionsMax: 10_000,
  // Off: behind a load balancer everybody comes from one address, and each stream is a connection.
  connectionsPerSourceMax: Infinity,
  openFilesMax: Infinity,
};

/** Connections beyond the limit that are still taken to be told so; more are dropped as they come. */
const REFUSED_CONNECTIONS_MAX = 256;
/** And no more than this share of those that are served. */
const REFUSED_SHARE = 0.2;
/** The same trouble is told once in this time. */
const TELL_PERIOD_MS = 60_000;

/** Node's name for what its parser stumbled over, where it deserves another answer than 400. */
const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** One client's connection and what runs on it. */
export interface ClientConnection {
  readonly socket: Socket;
  /** Requests that came on it and are not answered. */
  busy: number;
  /** The answer it carries now, or carried last. */
  answer: ServerResponse | null;
  /** The answer is a refusal: whole as soon as it is written, though it may not be ended yet. */
  isRefused: boolean;
  /** It was ended because its request did not arrive in time. */
  isLate: boolean;
  /** It was taken beyond the limit, only to be told so. */
  isSurplus: boolean;
}

/** Watches over a listener's connections: how many, from where, and what becomes of those that talk nonsense. */
export class ClientConnections {
  readonly #clock: Clock;
  readonly #limits: ClientLimits;
  readonly #connectionsMax: number;
  readonly #perSource = new Map<string, number>();
  readonly #toldMs = new Map<string, number>();
  readonly #open = new Map<Socket, ClientConnection>();

  constructor(server: Server, clock: Clock, limits: ClientLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#connectionsMax = Math.min(limits.connectionsMax, connectionsWithin(limits.openFilesMax));
    const surplus = Math.ceil(this.#connectionsMax * REFUSED_SHARE);
    server.maxConnections = this.#connectionsMax + Math.min(REFUSED_CONNECTIONS_MAX, surplus);
    server.on("connection", (socket) => {
      this.#admit(socket);
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      this.#answerBroken(error, socket as Socket);
    });
    server.on("connect", (_request, socket) => {
      sendErrorOnSocket(socket, "method_not_allowed", clock);
    });
    // What cannot be accepted for lack of descriptors is closed by libuv; the listener lives on.
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (!server.listening) return;
      this.#tell(
        error.code ?? error.name,
        error.code === "EMFILE" || error.code === "ENFILE"
          ? "Connections are refused because the process is out of file descriptors: raise its limit (ulimit -n)."
          : `The data listener could not take a connection: ${error.message}`,
      );
    });
    server.on("drop", () => {
      this.#tellFull();
    });
  }

  /** The connection of a socket that this listener took. */
  of(socket: Socket): ClientConnection {
    return this.#open.get(socket) ?? newConnection(socket);
  }

  all(): Iterable<ClientConnection> {
    return this.#open.values();
  }

  #admit(socket: Socket): void {
    const { connectionsPerSourceMax } = this.#limits;
    const source = socket.remoteAddress ?? "";
    const ofSource = (this.#perSource.get(source) ?? 0) + 1;
    const connection = newConnection(socket);
    this.#open.set(socket, connection);
    this.#perSource.set(source, ofSource);
    socket.once("close", () => {
      this.#open.delete(socket);
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left === 0) this.#perSource.delete(source);
      else this.#perSource.set(source, left);
    });
    if (ofSource > connectionsPerSourceMax) {
      this.#tell(
        "source",
        `Connections are refused: ${source} has ${connectionsPerSourceMax}, the limit for one address.`,
      );
      socket.destroy();
    } else if (this.#open.size > this.#connectionsMax) {
      this.#tellFull();
      connection.isSurplus = true;
    }
  }

  #answerBroken(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const connection = this.of(socket);
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") connection.isLate = true;
    const { answer } = connection;
    if (answer?.headersSent === true && !answer.writableFinished) {
      // A second status line in the middle of an answer would be taken for a part of it.
      if (connection.isRefused) answer.end();
      if (answer.writableEnded) socket.destroySoon();
      else socket.destroy();
      return;
    }
    const isMethod = error.code === "HPE_INVALID_METHOD" && looksLikeHttp(error.rawPacket);
    sendErrorOnSocket(
      socket,
      isMethod ? "method_not_allowed" : (PARSER_CODES[error.code ?? ""] ?? "bad_request"),
      this.#clock,
    );
  }

  #tellFull(): void {
    const { connectionsMax, openFilesMax } = this.#limits;
    const why =
      this.#connectionsMax < connectionsMax
        ? `all that ${openFilesMax} open files have room for: raise the limit of file descriptors (ulimit -n)`
        : "the limit";
    this.#tell("full", `Connections are refused: ${this.#connectionsMax} are open, ${why}.`);
  }

  #tell(kind: string, sentence: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - (this.#toldMs.get(kind) ?? -Infinity) < TELL_PERIOD_MS) return;
    this.#toldMs.set(kind, nowMs);
    process.emitWarning(sentence);
  }
}

function newConnection(socket: Socket): ClientConnection {
  return { socket, busy: 0, answer: null, isRefused: false, isLate: false, isSurplus: false };
}

/** A request line with a method nobody knows is still a request line. */
function looksLikeHttp(packet: Buffer | undefined): boolean {
  const line = packet?.toString("latin1", 0, 200) ?? "";
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/1\.[01]\r?\n/.test(line);
}
