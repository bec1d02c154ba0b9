import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { ServeOptions } from "../../../../proxy/serve.ts";
import { seededRandom } from "../../../../engines/random.ts";
import { until } from "../../../harness/fleet.ts";
import { codeOf } from "../../../harness/http-answer.ts";
import { chat, CHAT_BODY, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { RawClient } from "../../../harness/raw-client.ts";
import { bufferBytes } from "../../../harness/memory.ts";
import { OK } from "../../../harness/raw-upstream.ts";

let pair: RawPair;
afterEach(() => pair.stop());

async function start(options: Partial<ServeOptions>): Promise<void> {
  pair = await startRawPair(options);
}

const clients = (count: number): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, () => pair.client()));
const closed = (all: readonly RawClient[]): Promise<void> =>
  until(() => all.every(({ isClosed }) => isClosed), "all connections are closed");
const outcomes = (): unknown[] =>
  [...pair.proxy.telemetry.ring.newest()].map(({ outcome }) => outcome);

const IMPATIENT = { headersMs: 250, requestMs: 500, checkMs: 25 };

describe("clients that take their time", () => {
  test("I01 headers that trickle are ended with 408, and others are served meanwhile", async () => {
    await start({ clients: IMPATIENT });
    const slow = await clients(100);
    let tick = 0;
    while (!slow.every(({ isClosed }) => isClosed)) {
      for (const one of slow) one.write(get("/v1/things", "x-slow: 1\r\n").charAt(tick));
      const [answer] = await pair.ask(chat());
      expect(answer?.status).toBe(200);
      if (tick++ > 40) break;
    }
    await closed(slow);
    const codes = new Set(slow.map((one) => codeOf(one.heard()[0])));
    expect(codes).toEqual(new Set(["request_timeout"]));
  });

  test("I02 a body that trickles is ended with 408 and is one rejected request", async () => {
    await start({ clients: IMPATIENT });
    const client = await pair.client();
    client.write("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{");
    await client.closed();
    expect(client.heard()).toMatchObject([{ status: 408 }]);
    await until(() => outcomes().length === 1, "the record");
    expect(outcomes()).toEqual([{ kind: "rejected", code: "request_timeout" }]);
    expect(pair.upstream.seen).toEqual([]);
  });

  test("I04 connections that say nothing are closed", async () => {
    await start({ clients: IMPATIENT });
    const silent = await clients(200);
    await closed(silent);
    expect((await pair.ask(chat()))[0]?.status).toBe(200);
  });

  test("the answer may take as long as it likes", async () => {
    await start({ clients: IMPATIENT });
    let answer = (): void => {};
    pair.upstream.script = (socket) => {
      answer = () => socket.write(OK);
    };
    const waiting = await pair.client();
    waiting.write(chat());
    await until(() => pair.upstream.seen.length === 1, "the engine has the request");
    const silent = await pair.client();
    await silent.closed();
    const another = await pair.client();
    await another.closed();
    answer();
    expect((await waiting.answers())[0]?.status).toBe(200);
    waiting.destroy();
  });

  test("I03 clients that read nothing cost less than 256 kB each, hold up nobody, and are cut", async () => {
    await start({ limits: { writeStallMs: 3_000 } });
    const event = Buffer.from(`data: ${"x".repeat(16_000)}\n\n`);
    const piece = Buffer.concat([
      Buffer.from(`${event.length.toString(16)}\r\n`),
      event,
      Buffer.from("\r\n"),
    ]);
    pair.upstream.script = (socket, { head }) => {
      if (!head.includes("x-flood")) return socket.write(OK);
      socket.write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      const pump = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", pump);
      pump();
      return true;
    };
    const flood = async (count: number, url: string): Promise<RawClient[]> => {
      const deaf = await Promise.all(
        Array.from({ length: count }, () => RawClient.connect(url, { isDeaf: true })),
      );
      const before = pair.upstream.seen.length;
      for (const client of deaf) client.write(chat("x-flood: 1\r\nvia: 1.1 test\r\n"));
      await until(() => pair.upstream.seen.length === before + count, "all floods have begun");
      let last = -1;
      await until(() => {
        const isStill = last === pair.upstream.bytesWritten;
        last = pair.upstream.bytesWritten;
        return isStill;
      }, "the engine is held back");
      return deaf;
    };
    // The first of each kind pay for what all share. What the test's own ends cost is seen where there is no proxy.
    const { url } = pair.upstream;
    const { dataUrl } = pair.proxy;
    const all: RawClient[] = [];
    const costs: number[] = [];
    for (const where of [url, dataUrl]) {
      all.push(...(await flood(10, where)));
      const before = bufferBytes();
      all.push(...(await flood(30, where)));
      costs.push((bufferBytes() - before) / 30);
    }
    const [direct = 0, through = 0] = costs;
    expect(through - direct).toBeLessThan(256_000);
    expect((await pair.ask(chat()))[0]?.status).toBe(200);
    await until(() => pair.proxy.feed.inFlightCount === 0, "all stalled streams are cut");
    expect(outcomes().filter((one) => (one as { kind: string }).kind === "completed")).toHaveLength(
      1,
    );
    for (const client of all) client.destroy();
  });
});

describe("too many of them", () => {
  test("I05 beyond the limit each is told so, and there is room again when others leave", async () => {
    await start({ clients: { connectionsMax: 10 } });
    const first = await clients(10);
    for (const one of first) one.write(chat());
    await Promise.all(first.map((one) => one.answers()));
    const surplus = await pair.client();
    surplus.write(chat());
    await surplus.closed();
    expect(codeOf(surplus.heard()[0])).toBe("overloaded");
    for (const one of first) one.destroy();
    await until(async () => (await pair.ask(chat()))[0]?.status === 200, "room again");
  });

  test("I05 thousands at once leave it alive", async () => {
    await start({ clients: { connectionsMax: 50 } });
    const all = await clients(1_000);
    for (const one of all) one.write(chat("connection: close\r\n"));
    await closed(all);
    expect(all.filter((one) => one.heard()[0]?.status === 200).length).toBeGreaterThan(0);
    expect((await pair.ask(chat()))[0]?.status).toBe(200);
  });

  test("I05 one address may be held to its share", async () => {
    await start({ clients: { connectionsPerSourceMax: 3 } });
    const some = await clients(3);
    for (const one of some) one.write(chat());
    await Promise.all(some.map((one) => one.answers()));
    const surplus = await pair.client().catch(() => null);
    await until(() => surplus === null || surplus.isClosed, "it is turned away");
    for (const one of some) one.destroy();
    await until(async () => (await pair.ask(chat()))[0]?.status === 200, "room again");
  });
});

describe("bodies held for another try", () => {
  test("are refused beyond their common limit and given back exactly once, however requests end", async () => {
    await start({ bodiesHeldBytesMax: 1_000_000, retries: { attemptsMax: 1 } });
    const body = JSON.stringify({ pad: "x".repeat(400_000) });
    const waiting: (() => void)[] = [];
    pair.upstream.script = (socket) => waiting.push(() => socket.write(OK));
    const held = await clients(2);
    for (const one of held) one.write(chat("", body));
    await until(() => waiting.length === 2, "two bodies are held");
    const [answer] = await pair.ask(chat("", body));
    expect([answer?.status, codeOf(answer)]).toEqual([503, "overloaded"]);
    for (const one of waiting.splice(0)) one();
    await Promise.all(held.map((one) => one.answers()));
    const ends = [
      (one: RawClient) => one.destroy(),
      (one: RawClient) => one.write(chat("", body.slice(0, -1))),
      (one: RawClient) => one.write(chat("", body).slice(0, 300_000)),
      (one: RawClient) => one.write(chat("", body)),
    ];
    pair.upstream.script = (socket) => socket.destroy();
    for (const end of [...ends, ...ends]) {
      const one = await pair.client();
      one.write(chat("", body));
      await one.answers();
      end(one);
      one.destroy();
    }
    pair.upstream.script = (socket) => socket.write(OK);
    await until(() => pair.proxy.feed.inFlightCount === 0, "nothing in flight");
    // Were one byte still on the account, or given back twice, this would not be the limit.
    const whole = (bytes: number): string => chat("", `{"a":"${"x".repeat(bytes - 8)}"}`);
    await until(async () => (await pair.ask(whole(1_000_000)))[0]?.status === 200, "all is back");
    expect((await pair.ask(whole(1_000_001)))[0]?.status).toBe(503);
  });
});

describe("other protocols and noise", () => {
  const hello = Buffer.concat([
    Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]),
    randomBytes(193),
  ]);

  test.each([
    ["a TLS hello", hello],
    ["an SSH banner", Buffer.from("SSH-2.0-OpenSSH_9.6\r\n")],
    ["a Redis command", Buffer.from("*1\r\n$4\r\nPING\r\n")],
    [
      "the preface and frames of HTTP/2",
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ],
  ])("I22 I24 %s is ended at once", async (_name, bytes) => {
    await start({});
    const client = await pair.client();
    client.write(bytes);
    await client.closed();
    expect(client.heard()[0]?.status).toBeGreaterThanOrEqual(400);
  });

  test("I20 noise at the control plane crashes nothing either", async () => {
    await start({});
    const { adminUrl } = pair.proxy;
    const upgrade =
      "GET /api/v1/live HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (let round = 0; round < 200; round++) {
      const one = await RawClient.connect(adminUrl);
      if (round % 2 === 0) one.write(upgrade);
      one.write(randomBytes(200));
      one.socket.end();
      await new Promise(setImmediate);
      one.destroy();
    }
    const one = await RawClient.connect(adminUrl);
    one.write("GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    expect((await one.answers())[0]?.status).toBe(200);
  });

  test("I20 I21 two thousand random and half-right messages crash nothing and leave nothing open", async () => {
    await start({ clients: IMPATIENT });
    const random = seededRandom(20);
    const valid = [
      chat(),
      get("/v1/x"),
      `${get("/v1/x")}${chat()}`,
      "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{}  \r\n0\r\n\r\n",
    ];
    const mutate = (): Buffer => {
      const bytes = Buffer.from(valid[Math.floor(random.next() * valid.length)]!, "latin1");
      const changes = 1 + Math.floor(random.next() * 6);
      for (let change = 0; change < changes; change++)
        bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
      return bytes.subarray(0, 1 + Math.floor(random.next() * bytes.length * 1.5));
    };
    for (let round = 0; round < 40; round++) {
      const all = await clients(50);
      for (const [index, one] of all.entries()) {
        one.write(index % 5 === 0 ? randomBytes(300) : mutate());
        one.socket.end();
      }
      await closed(all);
    }
    await until(() => pair.proxy.feed.inFlightCount === 0, "nothing in flight");
    // Whatever reached the engine was a well-formed request.
    for (const { method, target } of pair.upstream.seen) {
      expect(method).toMatch(/^[A-Z-]+$/);
      expect(target).toMatch(/^\/[\x21-\x7e]*$/);
    }
    const [answer] = await pair.ask(chat());
    expect(answer?.status).toBe(200);
    expect(pair.upstream.seen.at(-1)!.body.toString()).toBe(CHAT_BODY);
  });
});
