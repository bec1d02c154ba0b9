import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../engines/clock.ts";
import { MODEL } from "./fleet.ts";

const TOKENS = 4;
const TOKEN_MS = 2;

/** An OpenAI-compatible engine that is quick for a few and slow for a crowd, and remembers the headers it was sent. */
export interface CrowdedEngine {
  readonly url: string;
  readonly headers: readonly IncomingHttpHeaders[];
  readonly inFlight: number;
  close(): Promise<void>;
}

/** `quickMs` to the first token for up to `few` requests at once, `slowMs` beyond. */
export async function startCrowdedEngine(options: {
  readonly few: number;
  readonly quickMs: number;
  readonly slowMs: number;
}): Promise<CrowdedEngine> {
  const headers: IncomingHttpHeaders[] = [];
  let inFlight = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "POST") {
      const isModels = request.url === "/v1/models";
      response.writeHead(isModels || request.url === "/health" ? 200 : 404);
      response.end(isModels ? JSON.stringify({ object: "list", data: [{ id: MODEL }] }) : "");
      return;
    }
    headers.push(request.headers);
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { stream } = JSON.parse(Buffer.concat(pieces).toString()) as { stream?: boolean };
    inFlight++;
    response.once("close", () => {
      inFlight--;
    });
    await systemClock.after(inFlight > options.few ? options.slowMs : options.quickMs);
    await (stream === true ? events(response) : whole(response));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    headers,
    get inFlight() {
      return inFlight;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

const USAGE = { prompt_tokens: 16, completion_tokens: TOKENS, total_tokens: 16 + TOKENS };

async function events(response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let token = 0; token < TOKENS; token++) {
    const choice = { index: 0, delta: { content: " a" }, finish_reason: null };
    response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
    await systemClock.after(TOKEN_MS);
  }
  response.write(`data: ${JSON.stringify({ choices: [], usage: USAGE })}\n\n`);
  response.end("data: [DONE]\n\n");
}

async function whole(response: ServerResponse): Promise<void> {
  const message = { role: "assistant", content: " a a a a" };
  const choices = [{ index: 0, message, finish_reason: "length" }];
  response.writeHead(200, { "content-type": "application/json" });
  await new Promise<void>((resolve) => {
    response.end(JSON.stringify({ choices, usage: USAGE }), resolve);
  });
}
