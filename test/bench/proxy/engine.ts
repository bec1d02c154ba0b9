import { createServer, type Socket } from "node:net";

/**
 * An engine that costs next to nothing, in a process of its own: raw sockets, prepared bytes, one timer for all streams. The
 * request's own fields say how many events at which gap, so one engine serves every load of the bench.
 */
const PERIOD_MS = 1;
const EVENT = chunk(
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content: " word" }, logprobs: null, finish_reason: null }] })}\n\n`,
);
const STREAM_HEAD = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
);
const WHOLE = json(
  "200 OK",
  JSON.stringify({
    id: "1",
    object: "chat.completion",
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: "word" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
  }),
);
const MODELS = json(
  "200 OK",
  JSON.stringify({ object: "list", data: [{ id: "m", object: "model", owned_by: "vllm" }] }),
);
const NOT_FOUND = json("404 Not Found", "{}");

interface Stream {
  readonly socket: Socket;
  readonly gapMs: number;
  left: number;
  dueMs: number;
}

const streams = new Set<Stream>();

const server = createServer({ noDelay: true }, (socket) => {
  let held = Buffer.alloc(0);
  let stream: Stream | null = null;
  socket.on("error", () => {});
  socket.on("close", () => {
    if (stream === null || !streams.delete(stream)) return;
    process.send?.({ kind: "aborted", atMs: performance.timeOrigin + performance.now() });
  });
  socket.on("data", (bytes) => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    for (;;) {
      const headEnd = held.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const head = held.toString("latin1", 0, headEnd);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (held.length < headEnd + 4 + length) return;
      const body = held.toString(
        "latin1",
        headEnd + 4,
        Math.min(headEnd + 4 + length, headEnd + 404),
      );
      held = held.subarray(headEnd + 4 + length);
      stream = answer(socket, head, body);
    }
  });
});

function answer(socket: Socket, head: string, body: string): Stream | null {
  if (head.startsWith("GET")) {
    socket.write(
      head.startsWith("GET /v1/models")
        ? MODELS
        : head.startsWith("GET /health")
          ? json("200 OK", "{}")
          : NOT_FOUND,
    );
    return null;
  }
  const [, events] = /"bench_events":(\d+)/.exec(body) ?? [];
  const [, gap] = /"bench_gap_ms":(\d+)/.exec(body) ?? [];
  if (events === undefined) {
    socket.write(WHOLE);
    return null;
  }
  const gapMs = Number(gap);
  const stream = { socket, gapMs, left: Number(events) - 1, dueMs: performance.now() + gapMs };
  socket.write(Buffer.concat([STREAM_HEAD, EVENT]));
  streams.add(stream);
  return stream;
}

function turn(): void {
  const nowMs = performance.now();
  for (const stream of streams) {
    if (stream.dueMs > nowMs) continue;
    stream.dueMs += stream.gapMs;
    stream.left--;
    if (stream.left > 0) {
      stream.socket.write(EVENT);
      continue;
    }
    streams.delete(stream);
    stream.socket.write(Buffer.concat([EVENT, last(), Buffer.from("0\r\n\r\n")]));
  }
}

/** The usage event and the end mark, as vLLM sends them. */
function last(): Buffer {
  const usage = { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 };
  return chunk(
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage })}\n\ndata: [DONE]\n\n`,
  );
}

function chunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

function json(status: string, text: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
}

setInterval(turn, PERIOD_MS);
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  process.send?.({ kind: "port", port: (server.address() as { port: number }).port });
});
