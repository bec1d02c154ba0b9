import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../../engines/clock.ts";
import { Outlet } from "../../../proxy/http/outlet.ts";
import type { AnswerStart } from "../../../proxy/upstream/wire/answer-start.ts";
import type { Lane, Traveller } from "../../../proxy/upstream/wire/lane.ts";
import { Lanes } from "../../../proxy/upstream/wire/lanes.ts";

/**
 * Pitot's own way of carrying bytes, and nothing besides: node:http in front, lanes behind. What Pitot costs beyond this is
 * what it knows: routing, limits, the meter, records. What this costs beyond nginx is Node's.
 */
class Bare implements Traveller {
  isOver = false;
  readonly #outlet: Outlet;
  #lane: Lane | null = null;
  #start: AnswerStart | null = null;

  constructor(response: ServerResponse) {
    this.#outlet = new Outlet(response);
    response.on("close", () => {
      this.isOver = true;
      if (!response.writableFinished) this.#lane?.leave(this);
    });
  }

  boarded(lane: Lane): void {
    this.#lane = lane;
  }

  sent(): void {}

  started(start: AnswerStart): void {
    this.#start = start;
    const headers = start.raw.flatMap((name, index, all) =>
      index % 2 === 0 && name.toLowerCase() !== "transfer-encoding"
        ? [name, all[index + 1] ?? ""]
        : [],
    );
    this.#outlet.begin(start.status, start.message, headers);
  }

  carried(bytes: Buffer): void {
    if (this.#start?.bodyBytes === bytes.length) this.#outlet.writeWhole(bytes);
    else this.#outlet.write(bytes);
  }

  arrived(): void {
    this.#outlet.end();
  }

  failed(): void {
    this.#outlet.breakOff(null);
  }
}

const lanes = new Lanes(process.argv[2] ?? "", systemClock, {});

const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { "content-type": type = "application/json" } = request.headers;
    const body = Buffer.concat(chunks);
    const headers = ["content-type", type, "content-length", String(body.length)];
    const path = request.url ?? "/";
    lanes.carry({ method: "POST", path, headers, body }, new Bare(response));
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stderr.write(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}/v1\n`);
});
