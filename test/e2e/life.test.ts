import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import { RawClient } from "../harness/raw-client.ts";
import { RawUpstream } from "../harness/raw-upstream.ts";
import { type Served, type ServedOptions, startServed } from "../harness/served.ts";
import { until } from "../harness/fleet.ts";
import {
  chat,
  chunk,
  DONE,
  FINISH,
  LAST_CHUNK,
  SSE_HEAD,
  stream,
  token,
} from "../faults/raw-fleet.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/pitot.mjs");

let upstream: RawUpstream;
const running = new Set<ChildProcess>();
beforeEach(async () => {
  upstream = await RawUpstream.start();
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  await upstream.stop();
});

async function serve({
  flags = ["--replica", upstream.url],
  ...more
}: Partial<ServedOptions> = {}): Promise<Served> {
  const served = await startServed({ flags, ...more });
  running.add(served.child);
  return served;
}

async function openStreams(served: Served, count: number): Promise<RawClient[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = await RawClient.connect(served.url);
      client.write(chat());
      return client;
    }),
  );
  await until(() => clients.every((client) => client.bytes.includes('"content"')), "all flow");
  return clients;
}

describe("SIGTERM", () => {
  test("L01, L03 takes it off /readyz at once, lets fifty streams finish, tells who comes late, and exits 0", async () => {
    const served = await serve();
    const finish: (() => void)[] = [];
    upstream.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token()));
      finish.push(() => socket.write(chunk(FINISH + DONE) + LAST_CHUNK));
    };
    const clients = await openStreams(served, 50);
    served.child.kill("SIGTERM");
    await until(
      async () => (await request(`${served.url}/readyz`)).statusCode === 503,
      "it is not ready",
    );
    const late = await RawClient.connect(served.url);
    late.write(chat());
    const [refusal] = await late.answers();
    expect([refusal!.status, refusal!.body.toString().includes('"code":"draining"')]).toEqual([
      503,
      true,
    ]);
    expect(
      refusal!.headers.some(([name, value]) => /^connection$/i.test(name) && value === "close"),
    ).toBe(true);
    expect(served.child.exitCode).toBeNull();
    const startedMs = systemClock.nowMs();
    for (const end of finish) end();
    expect(await served.gone()).toBe(0);
    expect(systemClock.nowMs() - startedMs).toBeLessThan(3_000);
    for (const client of clients)
      expect(client.heard()[0]).toMatchObject({ status: 200, isComplete: true });
  });

  test("L02 cuts what outlives the deadline with an error event, says how many, and still exits 0", async () => {
    const served = await serve({ env: { PITOT_DRAIN__DEADLINE_MS: "200" } });
    upstream.script = (socket) => void socket.write(SSE_HEAD + chunk(token()));
    const [client] = await openStreams(served, 1);
    served.child.kill("SIGTERM");
    expect(await served.gone()).toBe(0);
    const [answer] = client!.heard();
    expect(answer!.body.toString()).toContain('"code":"draining"');
    expect(answer!.body.toString()).not.toContain("[DONE]");
    expect(answer!.isComplete).toBe(false);
    expect(served.said()).toContain("cut 1 request");
  });

  test("L04 closes connections on which nothing runs: idle, never used, and half a header long", async () => {
    const served = await serve();
    upstream.script = (socket) => void socket.write(SSE_HEAD + chunk(token()));
    await openStreams(served, 1);
    const idle = await RawClient.connect(served.url);
    idle.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    await idle.answers();
    const never = await RawClient.connect(served.url);
    const half = await RawClient.connect(served.url);
    half.write("POST /v1/chat/completions HTTP/1.1\r\nhost:");
    // A round trip later all of it has arrived.
    await request(`${served.url}/healthz`).then(({ body }) => body.dump());
    served.child.kill("SIGTERM");
    await Promise.all([idle, never, half].map((client) => client.closed(2_000)));
    expect(served.child.exitCode).toBeNull();
  });

  test.each([
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGINT"],
  ] as const)("L05 once more (%s, then %s) ends it at once with 130", async (first, second) => {
    const served = await serve();
    upstream.script = (socket) => void socket.write(SSE_HEAD + chunk(token()));
    await openStreams(served, 1);
    served.child.kill(first);
    await until(() => served.said().includes("finishing 1 requests"), "it drains");
    served.child.kill(second);
    expect(await served.gone()).toBe(130);
  });
});

describe("an error nobody caught", () => {
  /** Throws when told to, from a place of its own. */
  const bomb = (act: string): Record<string, string> => ({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`process.on("SIGUSR2",()=>{${act}})`)}`,
  });

  test.each([
    [
      "an exception",
      'setImmediate(()=>{throw new Error("boom")})',
      "uncaught exception: Error: boom",
    ],
    ["a rejection", 'void Promise.reject(new Error("boom"))', "uncaught rejection: Error: boom"],
  ])("L09 (%s) is written down, other streams finish, and it exits 1", async (_name, act, text) => {
    const served = await serve({ env: bomb(act) });
    let finish = (): void => {};
    upstream.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token()));
      finish = () => void socket.write(chunk(FINISH + DONE) + LAST_CHUNK);
    };
    const [client] = await openStreams(served, 1);
    served.child.kill("SIGUSR2");
    await until(() => served.said().includes(text), "it is written down");
    finish();
    expect(await served.gone()).toBe(1);
    expect(client!.heard()[0]).toMatchObject({ status: 200, isComplete: true });
  });
});

test("L24 SIGHUP without a file, SIGUSR2 and a reader of its output that went away end nothing", async () => {
  const served = await serve();
  upstream.script = stream();
  served.child.stdout?.destroy();
  served.child.stderr?.destroy();
  served.child.kill("SIGHUP");
  served.child.kill("SIGUSR2");
  for (let round = 0; round < 3; round++) {
    const client = await RawClient.connect(served.url);
    client.write(chat());
    expect((await client.answers())[0]?.status).toBe(200);
  }
  // Makes it write: a malformed request is told to the log as a warning, a signal as a line.
  served.child.kill("SIGTERM");
  expect(await served.gone()).toBe(0);
});

test("L19 a port in use is one sentence and exit 2", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  const child = spawn(
    process.execPath,
    [
      PROGRAM,
      "serve",
      "--replica",
      upstream.url,
      "--listen",
      `127.0.0.1:${port}`,
      "--admin",
      "127.0.0.1:0",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  expect((await once(child, "exit"))[0]).toBe(2);
  expect(said.trim().split("\n")).toHaveLength(1);
  expect(said).toContain("already in use");
  holder.close();
});

test("L21 starts with no engine up, answers 503, and serves once one is there", async () => {
  const { url } = upstream;
  await upstream.stop();
  const served = await serve({ flags: ["--replica", url] });
  const ask = async (): Promise<number> => {
    const client = await RawClient.connect(served.url);
    client.write(chat());
    return (await client.answers())[0]!.status;
  };
  expect(await ask()).toBe(503);
  expect((await request(`${served.url}/readyz`)).statusCode).toBe(503);
  upstream = await RawUpstream.start(Number(new URL(url).port));
  upstream.script = stream();
  await until(async () => (await ask()) === 200, "it serves", 5_000);
});

test("F56 survives running out of file descriptors: refuses what it must, blames no replica, and recovers", async () => {
  const limited = ["bash", "-c", 'ulimit -n 120; exec "$0" "$@"', process.execPath];
  const served = await serve({ prefix: limited });
  upstream.script = stream();
  const { port } = new URL(served.url);
  const sockets = Array.from({ length: 200 }, () =>
    connect(Number(port), "127.0.0.1").on("error", () => {}),
  );
  await until(
    () =>
      served.said().includes("file descriptors") ||
      sockets.filter((one) => one.destroyed).length > 20,
    "it is out of descriptors",
  );
  for (const socket of sockets) socket.destroy();
  await until(
    async () => {
      const client = await RawClient.connect(served.url).catch(() => null);
      client?.write(chat());
      return (await client?.answers())?.[0]?.status === 200;
    },
    "it serves again",
    5_000,
  );
  expect(served.child.exitCode).toBeNull();
  expect(served.said()).not.toContain("uncaught");
});
