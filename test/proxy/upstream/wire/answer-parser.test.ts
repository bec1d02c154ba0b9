import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerParser } from "../../../../proxy/upstream/wire/answer-parser.ts";
import type { AnswerStart } from "../../../../proxy/upstream/wire/answer-start.ts";
import { WireError } from "../../../../proxy/upstream/wire/wire-error.ts";

/** What a parser made of some bytes. */
interface Reading {
  readonly starts: AnswerStart[];
  readonly body: string;
  readonly isOver: boolean;
  readonly keepsAlive: boolean;
  readonly trouble: string | null;
}

/** Pieces are overwritten once they were pushed: whatever is kept of them must be a copy. */
function read(pieces: readonly Buffer[], method = "POST", closes = false): Reading {
  const starts: AnswerStart[] = [];
  let body = "";
  const parser = new AnswerParser({
    started: (start) => starts.push(start),
    carried: (bytes) => {
      body += bytes.toString("latin1");
    },
  });
  parser.begin(method);
  let trouble: string | null = null;
  try {
    for (const piece of pieces) {
      const lent = Buffer.from(piece);
      parser.push(lent);
      lent.fill(0x58);
    }
    if (closes) parser.close();
  } catch (error) {
    trouble = error instanceof WireError ? error.trouble : "a bug";
  }
  const { isOver, keepsAlive } = parser;
  return { starts, body, isOver, keepsAlive, trouble };
}

const HEAD = "HTTP/1.1 200 OK\r\n";
const ANSWERS = {
  "of stated length": `${HEAD}content-length: 5\r\n\r\nhello`,
  "in chunks": `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n`,
  "in chunks with extensions and trailers": `${HEAD}transfer-encoding: chunked\r\n\r\n5;a="b;c"\r\nhello\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\n`,
  "of a compressed stream in chunks": `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n`,
  "behind interim ones": `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${HEAD}content-length: 2\r\n\r\n{}`,
  "without a reason": "HTTP/1.1 429\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n",
  "without a body": "HTTP/1.1 204 No Content\r\nx-a:\t spaced out \t\r\nx-a: twice\r\n\r\n",
};

describe("an answer", () => {
  test.each(Object.entries(ANSWERS))("%s reads the same wherever it is cut", (_name, text) => {
    const bytes = Buffer.from(text, "latin1");
    const whole = read([bytes]);
    expect(whole).toMatchObject({ isOver: true, keepsAlive: true, trouble: null });
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (places) => {
        const ends = [...places, bytes.length].toSorted((a, b) => a - b);
        const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        expect(read(pieces)).toEqual(whole);
      }),
      { seed: 7, numRuns: 150 },
    );
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test("keeps the order, the case, the repetition and the high bytes of its headers", () => {
    const { starts } = read([
      Buffer.from(`${HEAD}X-B: \xe9\r\nx-a:  1 \r\nX-B: 2\r\n\r\n`, "latin1"),
    ]);
    expect(starts[0]?.raw).toEqual(["X-B", "\xe9", "x-a", "1", "X-B", "2"]);
  });

  test("of no stated length ends with its connection, which carries no other", () => {
    const bytes = Buffer.from(`${HEAD}\r\nall of it`);
    expect(read([bytes])).toMatchObject({ isOver: false, body: "all of it" });
    expect(read([bytes], "POST", true)).toMatchObject({ isOver: true, keepsAlive: false });
  });

  test("shorter than it said is not over when its connection closes", () => {
    const bytes = Buffer.from(`${HEAD}content-length: 9\r\n\r\nhalf`);
    expect(read([bytes], "POST", true)).toMatchObject({ isOver: false, keepsAlive: false });
  });

  test("to HEAD has no body whatever it states, and its connection is not trusted again", () => {
    const reading = read([Buffer.from(`${HEAD}content-length: 9\r\n\r\n`)], "HEAD");
    expect(reading).toMatchObject({ isOver: true, body: "", keepsAlive: false });
  });

  test.each([
    ["says close", `${HEAD}connection: close\r\ncontent-length: 0\r\n\r\n`, false],
    ["is HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false],
    [
      "is HTTP/1.0 kept",
      "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n",
      true,
    ],
    ["is followed by bytes nobody asked for", `${HEAD}content-length: 1\r\n\r\nabc`, false],
  ])("that %s decides whether its connection is used again", (_name, text, keepsAlive) => {
    expect(read([Buffer.from(text)])).toMatchObject({ isOver: true, keepsAlive });
  });

  test("says how long its engine keeps a connection", () => {
    const { starts } = read([Buffer.from(`${HEAD}keep-alive: timeout=5, max=9\r\n\r\n`)]);
    expect(starts[0]?.idleMsMax).toBe(5_000);
  });
});

describe("what is no answer", () => {
  test.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["another protocol's first bytes", "\x00\x00"],
    ["a version of its own", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status that is stuck to its reason", "HTTP/1.1 200OK\r\n\r\n"],
    ["a field without a colon", `${HEAD}x-a\r\n\r\n`],
    ["a space before the colon", `${HEAD}x-a : 1\r\n\r\n`],
    ["an empty name", `${HEAD}: 1\r\n\r\n`],
    ["a folded line", `${HEAD}x-a: 1\r\n 2\r\n\r\n`],
    ["a bare line feed", `${HEAD}x-a: 1\nx-b: 2\r\n\r\n`],
    ["a bare carriage return", `${HEAD}x-a: 1\rx-b: 2\r\n\r\n`],
    ["NUL in a value", `${HEAD}x-a: \0\r\n\r\n`],
    ["two lengths", `${HEAD}content-length: 1\r\ncontent-length: 1\r\n\r\n`],
    ["a list of lengths", `${HEAD}content-length: 1, 1\r\n\r\n`],
    ["a signed length", `${HEAD}content-length: +1\r\n\r\n`],
    ["a length and a coding", `${HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`],
    ["a leave to go on nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["another protocol offered", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["headers without an end", `${HEAD}x-a: ${"x".repeat(20_000)}`],
    ["a chunk size that is none", `${HEAD}transfer-encoding: chunked\r\n\r\nxyz\r\n`],
    ["a negative chunk size", `${HEAD}transfer-encoding: chunked\r\n\r\n-1\r\n`],
    ["a chunk size in another base", `${HEAD}transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n`],
    ["no chunk size", `${HEAD}transfer-encoding: chunked\r\n\r\n\r\n`],
    ["an endless chunk size", `${HEAD}transfer-encoding: chunked\r\n\r\n${"0".repeat(40)}`],
    ["a chunk longer than it said", `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n`],
    ["a chunk ended by half a line break", `${HEAD}transfer-encoding: chunked\r\n\r\n2\nab\r\n`],
    ["an endless extension", `${HEAD}transfer-encoding: chunked\r\n\r\n2;${"x".repeat(20_000)}`],
    ["endless trailers", `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n${"x".repeat(20_000)}`],
  ])("%s is said to be so, in one piece or byte by byte", (_name, text) => {
    const bytes = Buffer.from(text, "latin1");
    expect(read([bytes]).trouble).toBe("malformed");
    expect(read([...bytes].map((byte) => Buffer.from([byte]))).trouble).toBe("malformed");
  });
});
