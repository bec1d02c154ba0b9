import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

/**
 * An engine that costs nothing: streams so many events at a steady gap, or answers at once. It runs in a worker of its own, so
 * that it is never the bench's limit.
 */
const { events, gapMs } = workerData as { readonly events: number; readonly gapMs: number };
const EVENT = `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content: " word" }, logprobs: null, finish_reason: null }] })}\n\n`;
const LAST = `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage: { prompt_tokens: 5, completion_tokens: events, total_tokens: 5 + events } })}\n\ndata: [DONE]\n\n`;
const WHOLE = JSON.stringify({
  id: "1",
  object: "chat.completion",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "word" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
});
const MODELS = JSON.stringify({
  object: "list",
  data: [{ id: "m", object: "model", owned_by: "bench" }],
});

const server = createServer({ noDelay: true, keepAliveTimeout: 5000 }, (request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(MODELS);
    return;
  }
  let isStream = false;
  request.on("data", (chunk: Buffer) => {
    isStream ||= chunk.includes('"stream":true');
  });
  request.on("end", () => {
    if (!isStream) {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": WHOLE.length,
      });
      response.end(WHOLE);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    let sent = 0;
    const timer = setInterval(() => {
      sent++;
      if (sent < events) response.write(EVENT);
      else response.end(LAST);
      if (sent >= events) clearInterval(timer);
    }, gapMs);
    response.on("close", () => {
      clearInterval(timer);
    });
  });
});
server.listen(0, "127.0.0.1", () =>
  parentPort?.postMessage((server.address() as { port: number }).port),
);
