import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, codeOf } from "../../../harness/http-answer.ts";
import { CHAT_BODY, chat, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { OK, reply, type SeenRequest } from "../../../harness/raw-upstream.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
afterAll(() => pair.stop());

/** What the engine saw of a request with these header lines, less what every request carries. */
async function arrived(lines: string): Promise<string[]> {
  await pair.ask(chat(lines));
  return extra(pair.upstream.seen.at(-1)!);
}

const USUAL = new Set([
  "host",
  "connection",
  "content-type",
  "content-length",
  "x-request-id",
  "via",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
]);

function extra({ headers }: SeenRequest): string[] {
  return headers.filter(([name]) => !USUAL.has(name)).map((pair) => pair.join(": "));
}

/** Answers the next requests with these header lines. */
function engineSays(lines: string, status = "200 OK"): void {
  pair.upstream.script = (socket) => socket.write(reply("{}", lines, status), "latin1");
}

async function answered(lines: string, status?: string): Promise<Answer> {
  engineSays(lines, status);
  const [answer] = await pair.ask(chat());
  pair.upstream.script = (socket) => socket.write(OK);
  return answer!;
}

const linesOf = ({ headers }: Answer): string[] => headers.map((pair) => pair.join(": "));

describe("to the engine", () => {
  test("H28 nothing of the client's connection travels on", async () => {
    const hop = [
      "Connection: keep-alive",
      "Keep-Alive: timeout=5",
      "Proxy-Connection: keep-alive",
      "TE: trailers",
      "Trailer: x-t",
      "Upgrade: h2c",
      "Proxy-Authenticate: a",
      "Proxy-Authorization: Basic canary",
      "HTTP2-Settings: AAMAAABk",
    ];
    expect(await arrived(`${hop.join("\r\n")}\r\nx-kept: 1\r\n`)).toEqual(["x-kept: 1"]);
  });

  test("H29 what Connection names stays here", async () => {
    expect(await arrived("Connection: x-secret, close\r\nX-Secret: 1\r\nx-kept: 1\r\n")).toEqual([
      "x-kept: 1",
    ]);
  });

  test.each(["authorization", "traceparent", "cookie", "x-api-key"])(
    "H30 Connection cannot take %s away",
    async (name) => {
      expect(await arrived(`connection: ${name}\r\n${name}: 1\r\n`)).toEqual([`${name}: 1`]);
    },
  );

  test.each(["content-length", "host", "x-forwarded-for", "transfer-encoding", "content-type"])(
    "H30 Connection naming %s changes nothing",
    async (name) => {
      expect(await arrived(`connection: ${name}\r\n`)).toEqual([]);
      const seen = pair.upstream.seen.at(-1)!;
      expect(seen.body.toString()).toBe(CHAT_BODY);
      expect(seen.headers.map(([one]) => one)).toEqual(
        expect.arrayContaining(["host", "content-length", "x-forwarded-for", "content-type"]),
      );
    },
  );

  test.each(["Transfer_Encoding: chunked", "X_Forwarded_For: 1.2.3.4", "Content.Length: 3"])(
    "H16 %s is dropped",
    async (line) => {
      expect(await arrived(`${line}\r\n`)).toEqual([]);
    },
  );

  test("H32 Via is added to, and a request that comes back is refused", async () => {
    await pair.ask(chat("Via: 1.0 fred, 1.1 p.example\r\n"));
    const via = pair.upstream.seen
      .at(-1)!
      .headers.filter(([name]) => name.toLowerCase() === "via")
      .map(([, value]) => value);
    expect(via).toEqual(["1.0 fred, 1.1 p.example", expect.stringMatching(/^1\.1 pitot-\w{8}$/)]);
    const before = pair.upstream.seen.length;
    const [answer] = await pair.ask(chat(`via: ${via.join(", ")}\r\n`));
    expect({ status: answer?.status, code: codeOf(answer) }).toEqual({
      status: 508,
      code: "loop_detected",
    });
    expect(pair.upstream.seen.length).toBe(before);
  });

  test("H33 what a stranger says of where it comes from is replaced", async () => {
    const claims = [
      "X-Forwarded-For: 203.0.113.9",
      "X-Forwarded-Proto: https",
      "X-Real-IP: 203.0.113.9",
      "X-Forwarded-Host: evil.test",
      "Forwarded: for=203.0.113.9",
    ];
    expect(await arrived(`${claims.join("\r\n")}\r\n`)).toEqual([]);
    expect(pair.upstream.seen.at(-1)!.headers).toEqual(
      expect.arrayContaining([
        ["x-forwarded-for", "127.0.0.1"],
        ["x-forwarded-proto", "http"],
        ["x-forwarded-host", "pitot.test"],
      ]),
    );
  });

  test("H33 what a trusted proxy says of it is kept and added to", async () => {
    const trusting = await startRawPair({ trustedPeers: ["127.0.0.0/8"] });
    await trusting.ask(chat("x-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: https\r\n"));
    const { headers } = trusting.upstream.seen[0]!;
    expect(headers.filter(([name]) => /^x-forwarded-(for|proto)$/.test(name))).toEqual([
      ["x-forwarded-for", "203.0.113.9"],
      ["x-forwarded-proto", "https"],
      ["x-forwarded-for", "127.0.0.1"],
    ]);
    await trusting.stop();
  });

  test("H47 bytes beyond ASCII arrive as they are", async () => {
    expect(await arrived("x-name: caf\xe9 \xff\xfe\r\n")).toEqual(["x-name: caf\xe9 \xff\xfe"]);
  });

  test("H48 order, case and repetition are kept", async () => {
    const lines = ["X-B: 1", "x-a: 2", "x-B: 3", "Cookie: a=1", "Cookie: b=2"];
    expect(await arrived(`${lines.join("\r\n")}\r\n`)).toEqual(lines);
  });

  test("H55 codings are passed on and none is asked for", async () => {
    const body = Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]);
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\n`;
    await pair.ask(Buffer.concat([Buffer.from(head), body]));
    const seen = pair.upstream.seen.at(-1)!;
    expect(seen.body).toEqual(body);
    expect(extra(seen)).toEqual(["content-encoding: gzip"]);
  });

  test.each(["Content-Type: text/plain", "Content-Type: application/json", "Authorization: b"])(
    "H64 a second %s is refused",
    async (line) => {
      const before = pair.upstream.seen.length;
      const [answer] = await pair.ask(chat(`authorization: a\r\n${line}\r\n`));
      expect(answer?.status).toBe(400);
      expect(pair.upstream.seen.length).toBe(before);
    },
  );

  test("H66 conditions and ranges travel on, and their answers come back", async () => {
    const lines = ["if-match: x", "if-none-match: y", "range: bytes=0-3", "if-modified-since: z"];
    expect(await arrived(`${lines.join("\r\n")}\r\n`)).toEqual(lines);
    const partial = await answered(
      "content-range: bytes 0-1/5\r\netag: e\r\n",
      "206 Partial Content",
    );
    expect(partial.status).toBe(206);
    expect(linesOf(partial)).toEqual(
      expect.arrayContaining(["content-range: bytes 0-1/5", "etag: e"]),
    );
  });
});

describe("sizes", () => {
  test.each([
    [15, 200],
    [17, 431],
  ])("H49 I06 %i KiB of headers: %i", async (kilobytes, status) => {
    const [answer] = await pair.ask(chat(`x-long: ${"x".repeat(kilobytes * 1024 - 150)}\r\n`));
    expect(answer?.status).toBe(status);
    expect(codeOf(answer)).toBe(status === 431 ? "headers_too_large" : undefined);
  });

  test.each([90, 97])("H50 %i more header fields all arrive", async (count) => {
    const lines = Array.from({ length: count }, (_, index) => `x${index}:1\r\n`).join("");
    expect(await arrived(lines)).toHaveLength(count);
  });

  test.each([98, 999, 1001, 2001])(
    "H50 I06 %i more header fields are refused, never thinned out",
    async (count) => {
      const before = pair.upstream.seen.length;
      const lines = Array.from({ length: count }, (_, index) => `x${index}:1\r\n`).join("");
      const [answer] = await pair.ask(chat(lines));
      expect([answer?.status, codeOf(answer)]).toEqual([431, "headers_too_large"]);
      expect(pair.upstream.seen.length).toBe(before);
    },
  );
});

describe("to the client", () => {
  test("H31 nothing of the engine's connection travels on", async () => {
    const hop = [
      "Connection: x-hop, keep-alive",
      "X-Hop: 1",
      "Keep-Alive: timeout=5",
      "Upgrade: h2c",
      "Proxy-Authenticate: Basic",
      "Proxy-Connection: close",
      "Proxy-Authentication-Info: a",
    ];
    const answer = await answered(`${hop.join("\r\n")}\r\nx-kept: 1\r\n`);
    const names = answer.headers.map(([name]) => name.toLowerCase());
    expect(names).toContain("x-kept");
    expect(names.filter((name) => /proxy|upgrade|x-hop/.test(name))).toEqual([]);
    expect(linesOf(answer)).not.toContain("Keep-Alive: timeout=5");
  });

  test("H47 H48 bytes, order and repetition are kept", async () => {
    const lines = [
      "Set-Cookie: a=1",
      "X-Name: caf\xe9",
      "set-cookie: b=2",
      "Warning: 1",
      "Warning: 2",
      "WWW-Authenticate: Basic",
      "WWW-Authenticate: Bearer",
    ];
    const answer = await answered(`${lines.join("\r\n")}\r\n`);
    const kept = linesOf(answer).filter((line) => lines.includes(line));
    expect(kept).toEqual(lines);
  });

  test("H55 a coded answer comes as it is", async () => {
    const bytes = Buffer.from([0x1f, 0x8b, 0, 255, 1]);
    pair.upstream.script = (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n");
      socket.write(bytes);
    };
    const [answer] = await pair.ask(chat("accept-encoding: br\r\n"));
    pair.upstream.script = (socket) => socket.write(OK);
    expect(answer?.body).toEqual(bytes);
    expect(linesOf(answer!)).toContain("content-encoding: gzip");
  });
});
