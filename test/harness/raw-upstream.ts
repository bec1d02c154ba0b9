import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { MODEL } from "./fleet.ts";

/** A request as it came over the wire to an engine. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly head: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** Which of the engine's connections it came on, from 0. */
  readonly connection: number;
}

/** Answers one request by writing whatever it likes. `early` scripts are run before the body is in. */
export type Script = (socket: Socket, request: SeenRequest) => void;

export const OK = reply('{"ok":true}');

/** A plain whole answer. */
export function reply(body: string, headers = "", status = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** An engine scripted byte by byte: a bare TCP server that keeps every request it was sent. Probes are answered and not kept. */
export class RawUpstream {
  readonly seen: SeenRequest[] = [];
  script: Script = (socket) => socket.write(OK);
  /** Run as soon as a request's headers are there, its body or not; returns true when it answered. */
  early: ((socket: Socket, request: SeenRequest) => boolean) | null = null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.#serve(socket, this.#connections++);
    });
  }

  static async start(port = 0): Promise<RawUpstream> {
    const server = createServer();
    const upstream = new RawUpstream(server);
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Handed to open connections so far. */
  get bytesWritten(): number {
    return [...this.#sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  /** Open connections. */
  get open(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket, connection: number): void {
    let pieces: Buffer[] = [];
    let bytes = 0;
    /** Bytes a request under way is known to have. */
    let wanted = 0;
    let wasEarly = false;
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk) => {
      pieces.push(chunk);
      bytes += chunk.length;
      if (bytes < wanted) return;
      let buffered = pieces.length === 1 ? chunk : Buffer.concat(pieces);
      for (;;) {
        const part = readRequest(buffered, connection);
        pieces = [buffered];
        bytes = buffered.length;
        wanted = part?.end ?? 0;
        if (part === null) return;
        const isProbe = !part.request.headers.some(([name]) => name === "via");
        if (!wasEarly && !isProbe && this.early !== null) {
          wasEarly = this.early(socket, part.request);
        }
        if (bytes < wanted) return;
        buffered = buffered.subarray(wanted);
        if (isProbe) answerProbe(socket, part.request);
        else {
          this.seen.push(part.request);
          if (!wasEarly) this.script(socket, part.request);
        }
        wasEarly = false;
      }
    });
  }
}

function answerProbe(socket: Socket, { target }: SeenRequest): void {
  const list = JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model" }] });
  if (target === "/v1/models") socket.write(reply(list));
  else if (target === "/health") socket.write(reply("{}"));
  else socket.write(reply("{}", "", "404 Not Found"));
}

/** `end` is where the request ends, its body there or not. */
function readRequest(
  bytes: Buffer,
  connection: number,
): { request: SeenRequest; end: number } | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const head = bytes.toString("latin1", 0, headEnd);
  const [start = "", ...lines] = head.split("\r\n");
  const [method = "", target = ""] = start.split(" ");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const value = (name: string): string | undefined =>
    headers.find(([one]) => one.toLowerCase() === name)?.[1];
  // What Pitot sends always states its length; anything else would show as a hang here.
  const length = Number(value("content-length") ?? 0);
  const end = headEnd + 4 + length;
  const body = Buffer.from(bytes.subarray(headEnd + 4, end));
  const request = { method, target, head, headers, body, connection };
  return { request, end };
}
