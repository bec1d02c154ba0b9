import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../harness/fleet.ts";
import { type Answer, codeOf, valueOf } from "../../../harness/http-answer.ts";
import { chat, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { OK, RawUpstream, reply } from "../../../harness/raw-upstream.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
beforeEach(() => {
  says(OK);
});
afterAll(() => pair.stop());

/** Answers the next requests with these bytes, and closes where told to. */
function says(bytes: string, then: "stay" | "close" = "stay"): void {
  pair.upstream.script = (socket) => {
    if (then === "close") socket.end(bytes, "latin1");
    else socket.write(bytes, "latin1");
  };
}

async function answerTo(bytes = chat()): Promise<Answer> {
  return (await pair.ask(bytes))[0]!;
}

/** The next request is answered by its own answer, on a connection other than the last one. */
async function startsAfresh(): Promise<void> {
  const { connection } = pair.upstream.seen.at(-1)!;
  says(reply('{"next":1}'));
  expect((await answerTo()).body.toString()).toBe('{"next":1}');
  expect(pair.upstream.seen.at(-1)!.connection).not.toBe(connection);
}

/** How the newest record ended. */
async function outcome(): Promise<unknown> {
  await until(() => pair.proxy.feed.inFlightCount === 0, "the record");
  return [...pair.proxy.telemetry.ring.newest()][0]!.outcome;
}

describe("interim answers", () => {
  test.each([
    ["103", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"],
    ["102", "HTTP/1.1 102 Processing\r\n\r\n"],
    ["two of them", "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nlink: </a>\r\n\r\n"],
  ])("H37 %s before the final one are not taken for it", async (_name, interim) => {
    says(interim + OK);
    const answer = await answerTo();
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('{"ok":true}');
    expect(valueOf(answer, "link")).toBeUndefined();
  });

  test("H38 101 unasked is a bad answer and its connection is closed", async () => {
    says("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw bytes");
    const answer = await answerTo();
    expect([answer.status, codeOf(answer)]).toEqual([502, "upstream_malformed"]);
    await startsAfresh();
  });
});

describe("upgrades", () => {
  const ws = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";

  test.each([
    ["as a browser asks for it", get("/v1/realtime", ws)],
    ["by POST", chat(ws)],
    ["without Connection", get("/v1/realtime", "upgrade: websocket\r\n")],
    ["by HTTP/1.0", get("/v1/realtime", ws).replace("HTTP/1.1", "HTTP/1.0")],
  ])("H39 to WebSocket %s are refused", async (_name, bytes) => {
    const answer = await answerTo(bytes);
    expect([answer.status, codeOf(answer)]).toEqual([501, "upgrade_not_supported"]);
  });

  test("H39 to HTTP/2 are left alone: the request is answered in HTTP/1.1", async () => {
    const answer = await answerTo(chat("connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"));
    expect(answer.status).toBe(200);
    expect(pair.upstream.seen.at(-1)!.head).not.toMatch(/upgrade|h2c/i);
  });
});

describe("answers without a body", () => {
  test("H40 HEAD keeps the length, sends no byte of it and leaves the connection usable", async () => {
    says("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nx-a: 1\r\n\r\n");
    const client = await pair.client({ isHead: true });
    for (const count of [1, 2]) {
      client.write(get("/v1/things", "", "HEAD"));
      const answers = await client.answers(count);
      expect(answers).toHaveLength(count);
      expect(valueOf(answers.at(-1)!, "content-length")).toBe("1234");
    }
    expect(client.bytes.toString()).toMatch(/\r\n\r\n$/);
    client.destroy();
  });

  test("H40 HEAD of our own routes and errors sends no body either", async () => {
    for (const path of ["/healthz", "/v1/models", "/nowhere", "/v1/chat/completions"]) {
      const client = await pair.client({ isHead: true });
      client.write(get(path, "connection: close\r\n", "HEAD"));
      await client.closed();
      expect(client.bytes.toString()).toMatch(/content-length: \d+[\s\S]*\r\n\r\n$/);
    }
  });

  test.each([
    ["204", "204 No Content"],
    ["304", "304 Not Modified"],
  ])("H41 a body after %s is not passed on and its connection is closed", async (_name, status) => {
    says(`HTTP/1.1 ${status}\r\ncontent-length: 5\r\n\r\nhello`);
    const client = await pair.client();
    client.write(chat());
    const [answer] = await client.answers();
    expect(answer?.status).toBe(Number.parseInt(status, 10));
    client.write(chat());
    await startsAfresh();
    expect(client.bytes.toString()).not.toContain("hello");
    client.destroy();
  });

  test("H42 204 states no length", async () => {
    says("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nx-a: 1\r\n\r\n");
    const answer = await answerTo();
    expect(answer.status).toBe(204);
    expect(valueOf(answer, "x-a")).toBe("1");
    expect(valueOf(answer, "content-length")).toBeUndefined();
    expect(valueOf(answer, "transfer-encoding")).toBeUndefined();
  });
});

describe("answers that are not well-formed", () => {
  const head = "HTTP/1.1 200 OK\r\n";

  test.each([
    [
      "length beside coding",
      `${head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["two lengths", `${head}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`],
    ["a length that is no number", `${head}content-length: 3x\r\n\r\nabc`],
    ["a space before a colon", `${head}x-a : 1\r\ncontent-length: 2\r\n\r\n{}`],
    ["a line without a colon", `${head}x-a\r\ncontent-length: 2\r\n\r\n{}`],
    ["NUL in a value", `${head}x-a: a\0b\r\ncontent-length: 2\r\n\r\n{}`],
    ["a folded line", `${head}x-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\n{}`],
    ["a bare CR", `${head}x-a: 1\rx-b: 2\r\ncontent-length: 2\r\n\r\n{}`],
    ["no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["an odd version", "HTTP/3.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
    ["headers beyond measure", `${head}x-a: ${"x".repeat(40_000)}\r\ncontent-length: 2\r\n\r\n{}`],
  ])("H43 %s: 502 and nothing of it is passed on", async (_name, bytes) => {
    says(bytes);
    const answer = await answerTo();
    expect([answer.status, codeOf(answer)]).toEqual([502, "upstream_malformed"]);
    expect(valueOf(answer, "x-a")).toBeUndefined();
    await startsAfresh();
  });

  test("H43 a reason that cannot be written again is left out", async () => {
    says("HTTP/1.1 200 \x01\x02\r\ncontent-length: 2\r\n\r\n{}");
    const answer = await answerTo();
    expect([200, 502]).toContain(answer.status);
    says(OK);
    expect((await answerTo()).status).toBe(200);
  });

  test("H44 chunks in an HTTP/1.0 answer are read or refused, and the connection not used again", async () => {
    says("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "close");
    const answer = await answerTo();
    expect(answer).toMatchObject({ status: 200, isComplete: true });
    expect(answer.body.toString()).toBe("{}");
    await startsAfresh();
  });

  test("H45 bytes after an answer are never the answer to the next request", async () => {
    const poison = reply('{"poison":true}');
    for (let round = 0; round < 250; round++) {
      says(reply(`{"mine":${round}}`) + (round % 2 === 0 ? poison : "\r\ntrailing garbage"));
      expect((await answerTo()).body.toString()).toBe(`{"mine":${round}}`);
      says(reply(`{"next":${round}}`));
      expect((await answerTo()).body.toString()).toBe(`{"next":${round}}`);
    }
  });

  test("H65 an answer shorter than it said is visibly cut and recorded as such", async () => {
    says(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}",
      "close",
    );
    const client = await pair.client();
    client.write(chat());
    await client.closed();
    expect(client.heard()[0]).toMatchObject({ status: 200, isComplete: false });
    expect(await outcome()).toMatchObject({ code: "upstream_cut" });
  });

  test("H65 a stream shorter than it said gets no error event: its length leaves no room for one", async () => {
    const event = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
    says(
      `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n${event}`,
      "close",
    );
    const client = await pair.client();
    client.write(chat());
    await client.closed();
    expect(client.heard()[0]?.isComplete).toBe(false);
    expect(client.heard()[0]?.body.toString()).toBe(event);
    expect(await outcome()).toEqual({ kind: "cut", code: "upstream_cut" });
  });
});

describe("whose key goes where", () => {
  test("S11 a redirect is passed on, not followed, and the client's key goes nowhere else", async () => {
    const other = await RawUpstream.start();
    says(reply("{}", `location: ${other.url}/v1/chat/completions\r\n`, "307 Temporary Redirect"));
    const answer = await answerTo(chat("authorization: Bearer client\r\n"));
    expect(answer.status).toBe(307);
    expect(valueOf(answer, "location")).toContain(other.url);
    expect(other.seen).toEqual([]);
    await other.stop();
  });

  test("S10 a replica is told its own key and no other's, also when it is the second to be asked", async () => {
    const [one, two] = await Promise.all([RawUpstream.start(), RawUpstream.start()]);
    const keyed = await startRawPair({
      replicas: [
        { url: one.url, name: "one", apiKey: "key-one" },
        { url: two.url, name: "two", apiKey: "key-two" },
      ],
    });
    await until(
      () => keyed.proxy.fleet.views().every(({ state }) => state === "up"),
      "both are up",
    );
    for (const upstream of [one, two]) {
      upstream.script = (socket) => socket.write(reply("{}", "", "503 Service Unavailable"));
    }
    await keyed.ask(chat("authorization: Bearer client\r\n"));
    for (const [upstream, key] of [
      [one, "key-one"],
      [two, "key-two"],
    ] as const) {
      expect(upstream.seen).toHaveLength(1);
      expect(upstream.seen[0]!.head.match(/authorization: .*/gi)).toEqual([
        `authorization: Bearer ${key}`,
      ]);
    }
    await keyed.stop();
    await Promise.all([one.stop(), two.stop()]);
  });
});
