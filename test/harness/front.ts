import { once } from "node:events";
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** What a front changes of what passes through it. */
export interface FrontOptions {
  /** Answers in place of the engine; true when it did. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Headers set on every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Holds answers back until they are whole, as a buffering gateway does. */
  readonly buffers?: boolean;
  readonly keepAliveMs?: number;
}

export interface Front {
  readonly url: string;
  close(): Promise<void>;
}

/** A gateway in front of an engine, or a server of its own where `engineUrl` is `null`. */
export async function startFront(engineUrl: string | null, options: FrontOptions): Promise<Front> {
  const server = createServer(
    { keepAliveTimeout: options.keepAliveMs ?? 5_000 },
    (got, response) => {
      for (const [name, value] of Object.entries(options.headers ?? {}))
        response.setHeader(name, value);
      if (options.answer?.(got, response) === true) {
        got.resume();
        return;
      }
      if (engineUrl === null) response.writeHead(404).end("not here");
      else pass(got, response, { engineUrl, buffers: options.buffers === true });
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => stop(server),
  };
}

function pass(
  got: IncomingMessage,
  response: ServerResponse,
  { engineUrl, buffers }: { readonly engineUrl: string; readonly buffers: boolean },
): void {
  const { method = "GET", url = "/", headers } = got;
  const onward = request(engineUrl + url, { method, headers, agent: false }, (answer) => {
    const { date: _date, connection: _connection, "keep-alive": _keep, ...rest } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, rest);
    if (!buffers) {
      answer.pipe(response);
      return;
    }
    const pieces: Buffer[] = [];
    answer.on("data", (piece: Buffer) => pieces.push(piece));
    answer.on("end", () => response.end(Buffer.concat(pieces)));
  });
  onward.on("error", () => response.destroy());
  got.pipe(onward);
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
