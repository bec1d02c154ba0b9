import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../harness/fleet.ts";
import { codeOf, valueOf } from "../../../harness/http-answer.ts";
import { CHAT_BODY, chat, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { OK, reply } from "../../../harness/raw-upstream.ts";

const BODY_BYTES_MAX = 4_000_000;

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair({ bodyBytesMax: BODY_BYTES_MAX });
});
beforeEach(() => {
  pair.upstream.early = null;
  pair.upstream.script = (socket) => socket.write(OK);
});
afterAll(() => pair.stop());

/** 50 MB in 50 kB. */
const bomb = gzipSync(Buffer.alloc(50_000_000));
const last = () => pair.upstream.seen.at(-1)!;
/** A POST whose body is left out. */
const head = (lines: string, target = "/v1/files"): string =>
  `POST ${target} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`;

/** A body as chunks of very different sizes. */
function chunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, size = 1; at < body.length; at += size, size = (size * 7 + 3) % 90_000) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

describe("Expect", () => {
  test("H34 100-continue is answered once and the body arrives", async () => {
    const client = await pair.client();
    const [requestHead = "", body = ""] = chat("expect: 100-continue\r\n").split(/(?<=\r\n\r\n)/);
    client.write(requestHead);
    await until(() => client.bytes.length > 0, "100 Continue");
    expect(client.heard().map(({ status }) => status)).toEqual([100]);
    expect(client.bytes.toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.write(body);
    await client.answers();
    expect(client.heard().map(({ status }) => status)).toEqual([100, 200]);
    expect(last().body.toString()).toBe(CHAT_BODY);
    expect(last().head).not.toMatch(/expect/i);
    client.destroy();
  });

  test.each([
    ["a wrong route", head("content-length: 9\r\n", "/nowhere"), 404],
    ["too large a body", head("content-length: 999999999\r\n"), 413],
    ["a flaw", head("content-length: 9\r\nhost: b\r\n"), 400],
  ])("H34 for %s is answered with the refusal alone", async (_name, bytes, status) => {
    const client = await pair.client();
    client.write(bytes.replace(/\r\n$/, "expect: 100-continue\r\n\r\n"));
    await client.closed();
    expect(client.heard().map((answer) => answer.status)).toEqual([status]);
  });

  test("H34 the engine's own refusal reaches the client", async () => {
    pair.upstream.script = (socket) => socket.write(reply("{}", "", "401 Unauthorized"));
    const [answer] = await pair.ask(chat("expect: 100-continue\r\n"));
    expect(answer?.status).toBe(401);
  });

  test.each(["200-ok", "100-continue, 200-ok", "something"])("H35 %s is refused", async (value) => {
    const before = pair.upstream.seen.length;
    const [answer] = await pair.ask(chat(`expect: ${value}\r\n`));
    expect([answer?.status, codeOf(answer)]).toEqual([417, "expectation_failed"]);
    expect(pair.upstream.seen.length).toBe(before);
  });

  test("H35 HTTP/1.0 has none: it is ignored", async () => {
    const [answer] = await pair.ask(
      chat("expect: 100-continue\r\n").replace("HTTP/1.1", "HTTP/1.0"),
    );
    expect(answer?.status).toBe(200);
  });

  test("H36 with the body sent at once, it arrives once and the next request too", async () => {
    const before = pair.upstream.seen.length;
    const client = await pair.client();
    client.write(chat("expect: 100-continue\r\n") + chat("x-second: 1\r\n"));
    await client.answers(2);
    const finals = client.heard().filter(({ status }) => status >= 200);
    expect(finals.map(({ status }) => status)).toEqual([200, 200]);
    const seen = pair.upstream.seen.slice(before);
    expect(seen.map(({ body }) => body.toString())).toEqual([CHAT_BODY, CHAT_BODY]);
    client.destroy();
  });
});

describe("an engine that answers before it has the body", () => {
  const large = Buffer.alloc(3_000_000, "x");
  const request = Buffer.concat([Buffer.from(head(`content-length: ${large.length}\r\n`)), large]);

  test.each([
    ["and reads on", "stay"],
    ["and ends its side", "end"],
  ])("H46 %s is heard at once", async (_name, then) => {
    pair.upstream.early = (socket) => {
      const answer = reply('{"early":1}', "connection: close\r\n", "413 Payload Too Large");
      if (then === "end") socket.end(answer);
      else socket.write(answer);
      return true;
    };
    const [answer] = await pair.ask(request);
    expect(answer?.status).toBe(413);
    expect(valueOf(answer!, "x-pitot-error-source")).toBe("upstream");
    pair.upstream.early = null;
    expect((await pair.ask(chat()))[0]?.status).toBe(200);
  });
});

describe("bodies with methods that seldom have one", () => {
  test.each(["GET", "OPTIONS", "DELETE"])(
    "H56 of %s arrive, and the next request is intact",
    async (method) => {
      const client = await pair.client();
      client.write(head("content-length: 5\r\n").replace("POST", method) + "hello" + chat());
      const answers = await client.answers(2);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(pair.upstream.seen.at(-2)).toMatchObject({ method, target: "/v1/files" });
      expect(pair.upstream.seen.at(-2)!.body.toString()).toBe("hello");
      expect(last().body.toString()).toBe(CHAT_BODY);
      client.destroy();
    },
  );

  test("H56 of HEAD arrives, and the next request is intact", async () => {
    pair.upstream.script = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    const client = await pair.client({ isHead: true });
    const bytes = head("content-length: 5\r\n").replace("POST", "HEAD");
    client.write(`${bytes}hello${bytes}again`);
    expect(await client.answers(2)).toHaveLength(2);
    expect(last().body.toString()).toBe("again");
    client.destroy();
  });
});

describe("large bodies", () => {
  test("I07 a length beyond the limit is refused before a byte is read", async () => {
    const client = await pair.client();
    client.write(head("content-length: 10737418240\r\n", "/v1/chat/completions"));
    const [answer] = await client.answers();
    expect([answer?.status, codeOf(answer)]).toEqual([413, "body_too_large"]);
    client.destroy();
  });

  test("I07 an endless body is cut at the limit, and little more of it is read", async () => {
    const client = await pair.client();
    client.write(head("transfer-encoding: chunked\r\n"));
    const chunk = Buffer.concat([
      Buffer.from("10000\r\n"),
      Buffer.alloc(65_536),
      Buffer.from("\r\n"),
    ]);
    let sent = 0;
    const pump = (): void => {
      while (!client.isClosed && sent < 100_000_000) {
        sent += chunk.length;
        if (!client.socket.write(chunk)) break;
      }
    };
    client.socket.on("drain", pump);
    pump();
    await client.closed();
    expect(codeOf(client.heard()[0])).toBe("body_too_large");
    // What was written beyond the limit lies in socket buffers, mostly.
    expect(client.socket.bytesWritten).toBeLessThan(BODY_BYTES_MAX + 12_000_000);
    const [newest] = pair.proxy.telemetry.ring.newest();
    expect(newest!.outcome).toEqual({ kind: "rejected", code: "body_too_large" });
  });

  const whole = randomBytes(3_000_000);

  test.each([
    ["in one length", head(`content-length: ${whole.length}\r\n`), whole],
    ["in chunks of every size", head("transfer-encoding: chunked\r\n"), chunked(whole)],
  ])("a body of several pieces arrives byte for byte %s", async (_name, start, rest) => {
    const body = whole;
    const client = await pair.client();
    client.write(start);
    client.write(rest);
    expect((await client.answers())[0]?.status).toBe(200);
    expect(last().body.equals(body)).toBe(true);
    expect(last().headers).toContainEqual(["content-length", String(body.length)]);
    client.destroy();
  });

  test.each(["gzip", "br", "gzip, gzip, gzip", "zstd"])(
    "I13 a body coded %s is not decoded: it arrives as it is, whatever it holds",
    async (coding) => {
      const lines = `content-encoding: ${coding}\r\ncontent-type: application/json\r\ncontent-length: ${bomb.length}\r\n`;
      const before = process.memoryUsage().rss;
      const [answer] = await pair.ask(
        Buffer.concat([Buffer.from(head(lines, "/v1/chat/completions")), bomb]),
      );
      expect(answer?.status).toBe(200);
      expect(last().body.equals(bomb)).toBe(true);
      expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
    },
  );

  test("I14 a coded answer is not decoded: it reaches the client as it is and is metered as unread", async () => {
    pair.upstream.script = (socket) => {
      const lines = `content-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}`;
      socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${lines}\r\n\r\n`), bomb]));
    };
    const before = process.memoryUsage().rss;
    const [answer] = await pair.ask(chat());
    expect(answer?.body.equals(bomb)).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
  });
});
