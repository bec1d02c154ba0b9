import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { answer, chat, chunk, DONE, ERROR_EVENT, FINISH, LAST_CHUNK } from "../faults/raw-fleet.ts";
import { SSE_HEAD, stream, token } from "../faults/raw-fleet.ts";
import { until } from "../harness/fleet.ts";
import { RawClient } from "../harness/raw-client.ts";
import { RawUpstream, type Script } from "../harness/raw-upstream.ts";
import { type Served, startServed } from "../harness/served.ts";

/** All it has to say about a life in which nothing was wrong with itself. */
const EXPECTED = [
  /^pitot: http:\S+\/v1 → 2 replicas; board http:\S+\/$/,
  /^pitot: SIGTERM: finishing \d+ requests; a signal more stops at once$/,
];

/** What an engine can do to an answer. */
const BAD_ENGINES: readonly Script[] = [
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end(),
  (socket) => socket.end("220 mail.example ESMTP ready\r\n"),
  (socket) => socket.end("HTTP/1.1 999999 What\r\n\r\n"),
  (socket) => socket.end(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(40_000)}\r\n\r\n`),
  (socket) => socket.write(answer(500)),
  (socket) => socket.write(answer(503, "retry-after: 0\r\n")),
  (socket) => socket.write(answer(429)),
  (socket) => socket.write(answer(200, "", "not json")),
  (socket) => socket.write(SSE_HEAD + chunk(ERROR_EVENT) + LAST_CHUNK),
  (socket) => socket.write(SSE_HEAD + chunk(token()) + chunk(ERROR_EVENT) + LAST_CHUNK),
  (socket) => socket.write(SSE_HEAD + chunk(`data: {"broken\n\n`) + chunk(DONE) + LAST_CHUNK),
  (socket) => socket.write(SSE_HEAD + chunk(token() + FINISH) + LAST_CHUNK),
  (socket) => socket.end(SSE_HEAD + chunk(token())),
  (socket) => socket.end(`${SSE_HEAD + chunk(token())}zz\r\n`),
  (socket) => {
    socket.write(SSE_HEAD + chunk(token()), () => socket.resetAndDestroy());
  },
];

/** What a client can say that is no request, or not a whole one. */
const BAD_CLIENTS: readonly string[] = [
  "\u0016\u0003\u0001 hello over TLS",
  "GET / HTTP/9.9\r\n\r\n",
  "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n{",
  "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n[[[[[",
  "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
  "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
  `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(40_000)}\r\n\r\n`,
  "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n",
  "GET /nowhere HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
  "POST /v1/chat/completions HTTP/1.1\r\nhost:",
];

let served: Served | null = null;
const upstreams: RawUpstream[] = [];
afterEach(async () => {
  served?.child.kill("SIGKILL");
  await Promise.all(upstreams.splice(0).map((one) => one.stop()));
});

test("K10 says where it listens and that it stops, whatever engines, clients and viewers do meanwhile", async () => {
  upstreams.push(await RawUpstream.start(), await RawUpstream.start());
  const replicas = upstreams.flatMap(({ url }) => ["--replica", url]);
  served = await startServed({ flags: [...replicas, "--data", "none"] });
  for (const script of BAD_ENGINES) {
    for (const upstream of upstreams) upstream.script = script;
    await Promise.all([whole(served.url), leaving(served.url)]);
  }
  for (const bytes of BAD_CLIENTS) {
    await rude(served.url, bytes);
    await rude(served.adminUrl, bytes);
  }
  await rudeViewer(served.adminUrl);
  const first = upstreams[0]!;
  const port = Number(new URL(first.url).port);
  await first.stop();
  await whole(served.url);
  upstreams[0] = await RawUpstream.start(port);
  for (const upstream of upstreams) upstream.script = stream();
  await until(async () => (await whole(served!.url)) === 200, "it serves as before");
  served.child.kill("SIGTERM");
  expect(await served.gone()).toBe(0);
  const lines = served.said().trimEnd().split("\n");
  expect(lines.filter((line) => !EXPECTED.some((known) => known.test(line)))).toEqual([]);
  expect(lines).toHaveLength(EXPECTED.length);
  expect(served.printed()).toBe("");
});

/** Asks and listens to whatever end comes; returns the status. */
async function whole(url: string): Promise<number | undefined> {
  const client = await RawClient.connect(url);
  client.write(chat({ headers: "connection: close\r\n" }));
  await client.closed(5_000);
  return client.heard()[0]?.status;
}

/** Asks and leaves at once. */
async function leaving(url: string): Promise<void> {
  const client = await RawClient.connect(url);
  client.write(chat());
  client.destroy();
}

/** Says nonsense, and no more; the proxy answers or does not, and closes. */
async function rude(url: string, bytes: string): Promise<void> {
  const client = await RawClient.connect(url);
  client.write(bytes);
  client.socket.end();
  await client.closed();
}

/** Opens the board's feed and sends what no board sends. */
async function rudeViewer(adminUrl: string): Promise<void> {
  const socket = new WebSocket(`${adminUrl.replace(/^http/, "ws")}/api/v1/live`);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.once("open", () => {
    socket.send("x".repeat(100_000));
  });
  await closed;
}
