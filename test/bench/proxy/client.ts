import { connect, type Socket } from "node:net";

/** What one load showed at the client. */
export interface Seen {
  readonly firstByteMs: number[];
  /** Until the first event of a stream: some engines send their headers long before. */
  readonly firstEventMs: number[];
  /** From there to the end of the answer. */
  readonly restMs: number[];
  readonly gapMs: number[];
  /** Requests whose whole answer came. */
  ended: number;
  failed: number;
}

export function nothingSeen(): Seen {
  return { firstByteMs: [], firstEventMs: [], restMs: [], gapMs: [], ended: 0, failed: 0 };
}

const END = Buffer.from("0\r\n\r\n");
const EVENT = Buffer.from("data: ");

/**
 * An HTTP client that costs next to nothing: a raw socket a request at a time, bytes looked at only for the end of the
 * answer. Sockets are kept and used again.
 */
export class RawClient {
  readonly #port: number;
  readonly #idle: Socket[] = [];
  readonly #open = new Set<Socket>();

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends `body` and resolves when the answer has ended; with `leaveMs` hangs up so long after the first byte. */
  async post(body: Buffer, seen: Seen, leaveMs?: number): Promise<void> {
    const socket = await this.#socket();
    await new Promise<void>((resolve) => {
      const startedMs = performance.now();
      let lastMs = 0;
      let eventMs = 0;
      let left = -1;
      const done = (ok: boolean): void => {
        socket.removeAllListeners("data").removeAllListeners("close");
        if (ok) {
          seen.ended++;
          if (eventMs > 0) seen.restMs.push(lastMs - eventMs);
          this.#idle.push(socket);
        } else {
          seen.failed++;
          this.#open.delete(socket);
        }
        resolve();
      };
      socket.on("close", () => {
        done(false);
      });
      socket.on("data", (bytes) => {
        const nowMs = performance.now();
        if (lastMs === 0) {
          seen.firstByteMs.push(nowMs - startedMs);
          left = bodyLeft(bytes);
          if (leaveMs !== undefined) setTimeout(() => socket.destroy(), leaveMs);
        } else {
          seen.gapMs.push(nowMs - lastMs);
          if (left >= 0) left -= bytes.length;
        }
        lastMs = nowMs;
        if (eventMs === 0 && bytes.includes(EVENT)) {
          eventMs = nowMs;
          seen.firstEventMs.push(nowMs - startedMs);
        }
        if (left === 0 || (left < 0 && endsStream(bytes))) done(true);
      });
      socket.write(body);
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #socket(): Promise<Socket> {
    const idle = this.#idle.pop();
    if (idle !== undefined && !idle.destroyed) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
      this.#open.add(socket);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        socket.on("error", () => {});
        resolve(socket);
      });
    });
  }
}

/** Bytes of a body of known length still to come; -1 for a chunked one. */
function bodyLeft(first: Buffer): number {
  const headEnd = first.indexOf("\r\n\r\n");
  const length = /content-length: (\d+)/i.exec(first.toString("latin1", 0, headEnd))?.[1];
  return length === undefined ? -1 : Number(length) - (first.length - headEnd - 4);
}

function endsStream(bytes: Buffer): boolean {
  return bytes.length >= END.length && bytes.subarray(-END.length).equals(END);
}

/** A request as bytes. */
export function requestBytes(fields: object): Buffer {
  const body = JSON.stringify({
    model: "m",
    ...fields,
    messages: [{ role: "user", content: "hello" }],
  });
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
