import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../harness/fleet.ts";
import type { RawClient } from "../../../harness/raw-client.ts";
import { chat, CHAT_BODY, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { OK } from "../../../harness/raw-upstream.ts";

const HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const DONE = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
beforeEach(() => {
  pair.upstream.script = (socket) => socket.write(OK);
});
afterAll(() => pair.stop());

const event = (text: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`;
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

/** Asks for a stream that the test feeds itself. */
async function openStream(): Promise<{ client: RawClient; say: (bytes: string) => void }> {
  let say: ((bytes: string) => void) | null = null;
  pair.upstream.script = (socket) => {
    say = (bytes) => socket.write(bytes);
  };
  const client = await pair.client();
  client.write(chat());
  await until(() => say !== null, "the engine has the request");
  return { client, say: say! };
}

describe("a stream", () => {
  test("of five thousand chunks in one burst keeps every border", async () => {
    const events = Array.from({ length: 5_000 }, (_, index) => event("x".repeat(index % 50)));
    const { client, say } = await openStream();
    say(HEAD + events.map(chunk).join("") + DONE);
    const [answer] = await client.answers();
    // A chunk that lay across two reads of 64 KiB comes in two pieces; none is ever joined to another.
    expect(answer!.chunks.length).toBeGreaterThanOrEqual(5_001);
    expect(answer!.chunks.length).toBeLessThan(5_050);
    expect(answer!.body.toString()).toBe(`${events.join("")}data: [DONE]\n\n`);
    client.destroy();
  });

  test("is passed on event by event: each is there before the next is sent", async () => {
    const { client, say } = await openStream();
    say(HEAD);
    for (let index = 0; index < 200; index++) {
      say(chunk(event(`token ${index}.`)));
      await until(() => client.bytes.includes(`token ${index}.`), `event ${index}`);
    }
    say(DONE);
    expect((await client.answers())[0]?.chunks).toHaveLength(201);
    client.destroy();
  });

  test("shows its headers with its first bytes, in one piece", async () => {
    const { client, say } = await openStream();
    const pieces: string[] = [];
    client.socket.on("data", (bytes: Buffer) => pieces.push(bytes.toString()));
    say(HEAD);
    say(chunk(event("first")));
    await until(() => pieces.length > 0, "the first piece");
    expect(pieces[0]).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*first/);
    say(DONE);
    await client.answers();
    client.destroy();
  });

  test("split within characters and chunk lines arrives byte for byte", async () => {
    const text = event("naïve façade 東京 🛩️").repeat(3);
    const wire = Buffer.from(HEAD + chunk(text) + DONE);
    for (let at = HEAD.length; at < wire.length; at += 7) {
      pair.upstream.script = (socket) => {
        socket.write(wire.subarray(0, at));
        setImmediate(() => socket.write(wire.subarray(at)));
      };
      const [answer] = await pair.ask(chat());
      expect(answer?.body.toString()).toBe(`${text}data: [DONE]\n\n`);
    }
  });
});

describe("an upload", () => {
  test("that is slow keeps no engine busy: the engine hears of it when it is whole", async () => {
    const before = pair.upstream.seen.length;
    const open = pair.upstream.open;
    const client = await pair.client();
    const bytes = chat();
    for (const byte of bytes.slice(0, -1)) {
      client.write(byte);
      await new Promise(setImmediate);
    }
    expect([pair.upstream.seen.length, pair.upstream.open]).toEqual([before, open]);
    client.write(bytes.slice(-1));
    expect((await client.answers())[0]?.status).toBe(200);
    expect(pair.upstream.seen.at(-1)!.body.toString()).toBe(CHAT_BODY);
    client.destroy();
  });
});

describe("requests sent before the last answer is out", () => {
  test("reach no engine while they wait, and never when their client has left", async () => {
    const before = pair.upstream.seen.length;
    const { client, say } = await openStream();
    client.write(chat() + get("/v1/things"));
    say(HEAD + chunk(event("a")));
    await until(() => client.bytes.includes("data: "), "the stream has begun");
    expect(pair.upstream.seen.length).toBe(before + 1);
    client.destroy();
    await until(() => pair.proxy.feed.inFlightCount === 0, "nothing in flight");
    expect((await pair.ask(get("/healthz")))[0]?.status).toBe(200);
    expect(pair.upstream.seen.length).toBe(before + 1);
  });
});
