import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as TlsSocketOptions } from "node:tls";
import type { Cancel, Clock } from "../../../engines/clock.ts";
import { AnswerParser, type AnswerSink } from "./answer-parser.ts";
import type { AnswerStart } from "./answer-start.ts";
import { WireError } from "./wire-error.ts";
import { oneText, requestHead, type WireRequest } from "./wire-request.ts";

/** Only frees the socket: the limit that counts is `connectMs` of http/deadlines.ts, which is shorter. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A peer that vanished without a word is found out by the kernel, on a connection that says nothing for this long. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** Whoever sends one request over a lane, told in this order how it fares; either `arrived` or `failed` ends it. */
export interface Traveller extends AnswerSink {
  /** Gave up already: it need not set out. */
  readonly isOver: boolean;
  /** A socket is in hand and the request is about to be written. */
  boarded(lane: Lane, isReused: boolean): void;
  /** The whole request is written. */
  sent(): void;
  arrived(): void;
  failed(error: Error): void;
}

/** Where lanes lead. */
export interface Destination {
  readonly hostname: string;
  readonly port: number;
  /** As the `Host` header says it. */
  readonly host: string;
  /** `null`: in the clear. */
  readonly tls: TlsSocketOptions | null;
  /** What the last handshake agreed on: the next one is shorter with it (RFC 8446 §2.2). */
  readonly ticket: { session: Buffer | null };
  readonly clock: Clock;
  /** Every read of every lane goes in here, so that none needs memory of its own; `null` where the system reads ahead. */
  readonly readInto: Buffer | null;
}

/** Told when a lane has carried a request through, or is gone. */
export interface LaneOwner {
  freed(lane: Lane): void;
  closed(lane: Lane): void;
}

/**
 * One connection to a replica, one request at a time. Knows whether its socket has carried a request before, which is what
 * tells a stale keep-alive (the engine closed an idle socket just as we wrote to it) from an engine that died over our request.
 */
export class Lane implements AnswerSink {
  readonly #owner: LaneOwner;
  readonly #host: string;
  readonly #socket: Socket;
  readonly #parser = new AnswerParser(this);
  #cancelConnect: Cancel;
  #isConnected = false;
  #isReused = false;
  #request: WireRequest | null = null;
  #traveller: Traveller | null = null;
  #isSent = false;
  #isPaused = false;
  #error: Error | null = null;

  constructor(destination: Destination, owner: LaneOwner) {
    this.#owner = owner;
    this.#host = destination.host;
    this.#socket = this.#connect(destination);
    this.#cancelConnect = destination.clock.schedule(CONNECT_TIMEOUT_MS, () => {
      this.#socket.destroy(new WireError("connect-timeout", "connect timed out"));
    });
  }

  /** Idle and sound. */
  get isUsable(): boolean {
    return this.#traveller === null && this.#isConnected && !this.#socket.destroyed;
  }

  /** How long the engine says it keeps the connection; known after an answer. */
  get idleMsMax(): number {
    return this.#parser.idleMsMax;
  }

  /** Sends a request as soon as there is a connection. */
  take(request: WireRequest, traveller: Traveller): void {
    this.#request = request;
    this.#traveller = traveller;
    if (this.#isConnected) this.#board();
  }

  /** The traveller wants no more of it: the engine hears of that by the closing of its connection. */
  leave(traveller: Traveller): void {
    if (this.#traveller !== traveller) return;
    this.#traveller = null;
    this.#socket.destroy();
  }

  /** Reads no more until {@link resume}; what was read already still comes. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Closes it, whatever is under way. */
  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  started(start: AnswerStart): void {
    this.#traveller?.started(start);
  }

  carried(bytes: Buffer): void {
    this.#traveller?.carried(bytes);
  }

  #connect({ hostname, port, tls, ticket, readInto }: Destination): Socket {
    const to = {
      host: hostname,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    };
    const read = (bytes: Buffer): void => {
      this.#read(bytes);
    };
    const callback = (count: number, buffer: Uint8Array): boolean => {
      read((buffer as Buffer).subarray(0, count));
      return true;
    };
    const { session } = ticket;
    const known = session === null ? {} : { session };
    const onread = tls === null && readInto !== null ? { buffer: readInto, callback } : undefined;
    const socket =
      tls !== null
        ? connectTls({ ...to, ALPNProtocols: ["http/1.1"], ...known, ...tls })
        : connect(onread === undefined ? to : { ...to, onread });
    if (onread === undefined) socket.on("data", read);
    socket.once(tls === null ? "connect" : "secureConnect", () => {
      this.#cancelConnect();
      this.#isConnected = true;
      if (this.#traveller !== null) this.#board();
    });
    if (tls !== null)
      socket.on("session", (agreed: Buffer) => {
        ticket.session = agreed;
      });
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.once("end", () => {
      this.#end();
    });
    socket.once("close", () => {
      this.#close();
    });
    return socket;
  }

  #board(): void {
    const traveller = this.#traveller;
    const request = this.#request;
    if (traveller === null || request === null) return;
    this.#request = null;
    if (traveller.isOver) {
      this.#traveller = null;
      this.#owner.freed(this);
      return;
    }
    const isReused = this.#isReused;
    this.#isReused = true;
    this.#isSent = false;
    this.#parser.begin(request.method);
    try {
      traveller.boarded(this, isReused);
      this.#write(request, traveller);
    } catch (error) {
      this.#fail(error);
    }
  }

  #write(request: WireRequest, traveller: Traveller): void {
    const head = requestHead(request, this.#host);
    const { body } = request;
    if (body === null) this.#socket.write(head, "latin1");
    else if (Buffer.isBuffer(body)) {
      const text = oneText(head, body);
      if (text !== null) this.#socket.write(text, "latin1");
      else {
        this.#socket.cork();
        this.#socket.write(head, "latin1");
        this.#socket.write(body);
        this.#socket.uncork();
      }
    } else {
      this.#socket.write(head, "latin1");
      return this.#pour(body, 0, traveller);
    }
    this.#isSent = true;
    traveller.sent();
  }

  /** Writes pieces from `first` on, no faster than the engine takes them. */
  #pour(pieces: readonly Buffer[], first: number, traveller: Traveller): void {
    for (let index = first; index < pieces.length; index++) {
      // Answered early, or given up.
      if (this.#traveller !== traveller) return;
      if (this.#socket.write(pieces[index] ?? Buffer.alloc(0)) || index + 1 === pieces.length)
        continue;
      this.#socket.once("drain", () => {
        this.#pour(pieces, index + 1, traveller);
      });
      return;
    }
    this.#isSent = true;
    traveller.sent();
  }

  #read(bytes: Buffer): void {
    // Nobody asked: whatever it says would be taken for the next one's answer.
    if (this.#traveller === null) return void this.#socket.destroy();
    try {
      this.#parser.push(bytes);
      if (this.#parser.isOver) this.#arrive();
    } catch (error) {
      this.#fail(error);
    }
  }

  #arrive(): void {
    const traveller = this.#traveller;
    if (traveller === null) return;
    this.#traveller = null;
    if (this.#isPaused) this.resume();
    const isSound = this.#parser.keepsAlive && this.#isSent && !this.#socket.destroyed;
    if (!isSound) this.#socket.destroy();
    try {
      traveller.arrived();
    } catch (error) {
      traveller.failed(error as Error);
    }
    if (isSound) this.#owner.freed(this);
  }

  #end(): void {
    if (this.#traveller !== null) {
      if (this.#parser.close()) this.#arrive();
      else this.#fail(new WireError("closed", "the other side closed the connection"));
    }
    this.#socket.destroy();
  }

  #fail(error: unknown): void {
    const traveller = this.#traveller;
    this.#traveller = null;
    this.#socket.destroy();
    traveller?.failed(error instanceof Error ? error : new Error(String(error)));
  }

  #close(): void {
    this.#cancelConnect();
    this.#fail(this.#error ?? new WireError("closed", "the connection closed"));
    this.#owner.closed(this);
  }
}
