import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import { systemClock } from "../../engines/clock.ts";

/** How long a stream is flooded, and how much is written at a time. */
const FLOOD_MS = 400;
const EVENTS_PER_WRITE = 2;
const EVENT = `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" time"},"finish_reason":null}]}\n\n`;

/** The fake engine of the self-test: every request gets events until its time is up, as fast as its socket takes them. */
function flood(port: NonNullable<typeof parentPort>): void {
  const piece = EVENT.repeat(EVENTS_PER_WRITE);
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    const untilMs = systemClock.nowMs() + FLOOD_MS;
    const write = (): void => {
      if (response.destroyed) return;
      if (systemClock.nowMs() > untilMs) response.end("data: [DONE]\n\n");
      else if (response.write(piece)) setImmediate(write);
      else response.once("drain", write);
    };
    write();
  });
  server.listen(0, "127.0.0.1", () => {
    port.postMessage((server.address() as AddressInfo).port);
  });
}

if (parentPort !== null) flood(parentPort);
