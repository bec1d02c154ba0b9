import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";

/**
 * The least a proxy on Node can do: node:http in front, undici's dispatch behind, each chunk written as it comes. No routing,
 * no deadlines, no meter. What Pitot costs beyond this is Pitot's.
 */
const pool = new Pool(process.argv[2] ?? "", {
  connections: 4096,
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
});

const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { "content-type": type = "application/json" } = request.headers;
    let abort: (() => void) | null = null;
    response.on("close", () => {
      if (!response.writableFinished) abort?.();
    });
    pool.dispatch(
      {
        path: request.url ?? "/",
        method: "POST",
        headers: { "content-type": type },
        body: Buffer.concat(chunks),
      },
      {
        onRequestStart(controller) {
          abort = () => controller.abort(new Error("left"));
        },
        onResponseStart(_controller, status, headers) {
          delete headers["transfer-encoding"];
          response.writeHead(status, headers);
        },
        onResponseData(_controller, chunk) {
          response.write(chunk);
        },
        onResponseEnd() {
          response.end();
        },
        onResponseError() {
          response.destroy();
        },
      },
    );
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}/v1\n`);
});
