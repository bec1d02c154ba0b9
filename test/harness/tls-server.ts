import { readFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", "fixtures", "tls");
/** Self-signed for 127.0.0.1 and engine.test, valid 2020 to 2120, its key lies beside it: it protects nothing. */
export const CERTIFICATE = readFileSync(join(folder, "loopback.pem"), "utf8");
const KEY = readFileSync(join(folder, "loopback.key"), "utf8");

export interface TlsServer {
  readonly port: number;
  readonly url: string;
  /** Every request that came, in order. */
  readonly requests: readonly IncomingMessage[];
  close(): Promise<void>;
}

/** An https server with the self-signed certificate on a port the system picks. */
export async function startTlsServer(answer: RequestListener): Promise<TlsServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer({ cert: CERTIFICATE, key: KEY }, (request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
