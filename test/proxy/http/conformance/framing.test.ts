import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { valueOf } from "../../../harness/http-answer.ts";
import { chat, CHAT_BODY, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair({ bodyBytesMax: 100_000 });
});
afterAll(() => pair.stop());

const POST = "POST /v1/chat/completions HTTP/1.1\r\nhost: pitot.test\r\n";
const BODY = "hello";
/** A chunked request whose body follows its headers. */
const chunked = (chunks: string): string => `${POST}transfer-encoding: chunked\r\n\r\n${chunks}`;
const VALID_CHUNKS = `${CHAT_BODY.length.toString(16)}\r\n${CHAT_BODY}\r\n0\r\n\r\n`;

/** Says `bytes`: they are refused in Pitot's own shape, the connection is closed and the engine never hears of them. */
async function refused(bytes: string | Buffer, statuses: readonly number[] = [400]): Promise<void> {
  const before = pair.upstream.seen.length;
  const client = await pair.client();
  client.write(bytes);
  await client.closed();
  const [answer, ...more] = client.heard();
  expect(statuses).toContain(answer?.status);
  expect(more).toEqual([]);
  expect(valueOf(answer!, "connection")).toBe("close");
  expect(valueOf(answer!, "x-pitot-error-source")).toBe("proxy");
  expect(JSON.parse(answer!.body.toString())).toMatchObject({ error: { type: "pitot_error" } });
  expect(pair.upstream.seen.length).toBe(before);
  const [next] = await pair.ask(chat());
  expect(next?.status).toBe(200);
}

/** Each name with the header lines and body that make the request. */
describe("refused, and the connection closed", () => {
  test.each([
    [
      "H01 content-length before transfer-encoding",
      `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      "H01 transfer-encoding before content-length",
      `Transfer-Encoding: Chunked\r\nCONTENT-LENGTH: 5\r\n\r\n0\r\n\r\n`,
    ],
    [
      "H02 two content-lengths that differ",
      `content-length: 5\r\ncontent-length: 6\r\n\r\n${BODY}`,
    ],
    ["H02 a list of lengths that differ", `content-length: 5, 6\r\n\r\n${BODY}`],
    ["H03 the same content-length twice", `content-length: 5\r\ncontent-length: 5\r\n\r\n${BODY}`],
    ["H03 a list of equal lengths", `content-length: 5, 5\r\n\r\n${BODY}`],
    ...["+5", "-0", "0x5", "5 5", "5_0", "18446744073709551616", "5;"].map((length) => [
      `H04 the content-length ${length}`,
      `content-length: ${length}\r\n\r\n${BODY}`,
    ]),
    ["H04 an empty content-length", `content-length:\r\n\r\n${BODY}`],
    ...["xchunked", "identity", "gzip, chunked", "chunked, identity", "chunked, chunked"].map(
      (coding) => [`H06 the coding ${coding}`, `transfer-encoding: ${coding}\r\n\r\n0\r\n\r\n`],
    ),
    [
      "H06 two coding lines",
      "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["H07 an empty coding", "transfer-encoding:\r\n\r\n0\r\n\r\n"],
    ["H07 a coding after a comma", "transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n"],
    ["H07 a coding with VT", "transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n"],
    ["H07 a coding with FF", "transfer-encoding: chunked\x0c\r\n\r\n0\r\n\r\n"],
    ["H07 a coding with NUL", "transfer-encoding: chunked\0\r\n\r\n0\r\n\r\n"],
    ["H07 a folded coding", "transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n"],
    ["H07 a space before the colon", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n"],
    ["H14 a bare LF as line end", "x-a: 1\nx-b: 2\r\n\r\n"],
    ["H14 a bare CR as line end", "x-a: 1\rx-b: 2\r\n\r\n"],
    ["H14 a CR in a value", "x-a: 1\r2\r\n\r\n"],
    ["H14 NUL in a value", "x-a: 1\x002\r\n\r\n"],
    ["H14 NUL in a name", "x-\0a: 1\r\n\r\n"],
    ["H14 a control in a value", "x-a: 1\x012\r\n\r\n"],
    ["H14 a control in a name", "x-\x01a: 1\r\n\r\n"],
    ["H15 a space before a colon", "x-a : 1\r\n\r\n"],
    ["H15 an empty name", ": 1\r\n\r\n"],
    ["H15 brackets in a name", "x[a]: 1\r\n\r\n"],
    ["H15 a line without a colon", "x-a\r\n\r\n"],
    ["H15 a folded line", "x-a: 1\r\n 2\r\n\r\n"],
  ])("%s", (_name, rest) => refused(POST + rest));

  test("H15 a space before the first header", () =>
    refused("GET /v1/x HTTP/1.1\r\n host: a\r\nx: 1\r\n\r\n"));

  test("H08 transfer-encoding in an HTTP/1.0 request", () =>
    refused("POST /v1/chat/completions HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"));

  test.each([
    ...["0x5", "+5", "-1", "5_0", " 5", "ffffffffffffffffff", ""].map((size) => [
      `H09 the chunk size ${JSON.stringify(size)}`,
      `${size}\r\n${BODY}\r\n0\r\n\r\n`,
    ]),
    ["H10 a chunk line ended by a bare LF", `5\n${BODY}\r\n0\r\n\r\n`],
    ["H10 an extension with a bare LF", `5;a\n${BODY}\r\n0\r\n\r\n`],
    ["H10 an extension with a bare CR", `5;a\rb\r\n${BODY}\r\n0\r\n\r\n`],
    ["H10 an extension with a control", `5;a\x01\r\n${BODY}\r\n0\r\n\r\n`],
    ["H10 a bare semicolon", `5;\r\n${BODY}\r\n0\r\n\r\n`],
    ["H10 a LF after the data", `5\r\n${BODY}\n0\r\n\r\n`],
    ["H10 nothing after the data", `5\r\n${BODY}0\r\n\r\n`],
    ["H10 more data than the size says", `5\r\n${BODY}${BODY}\r\n0\r\n\r\n`],
  ])("%s", (_name, chunks) => refused(chunked(chunks)));

  test.each(["Content-Length: 3", "Transfer-Encoding: chunked"])(
    "H13 a trailer that would frame: %s",
    (trailer) => refused(chunked(VALID_CHUNKS.replace(/\r\n$/, `${trailer}\r\n\r\n`))),
  );

  test("H09 a chunk size beyond what numbers hold, once the body's limit is reached", async () => {
    const client = await pair.client();
    client.write(chunked(`20000000000001\r\n${"x".repeat(100_001)}`));
    const [answer] = await client.answers();
    expect(answer?.status).toBe(413);
    await client.closed();
  });

  test("H12 chunk extensions of more than 16 KiB", () =>
    refused(chunked(`5;${"a".repeat(20_000)}\r\n${BODY}\r\n0\r\n\r\n`), [400, 413]));

  test.each(["HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/01.1", "HTTP/1.2", "HTTP/3.0", "HTTP"])(
    "H27 the version %s",
    (version) => refused(`GET /v1/x ${version}\r\nhost: a\r\n\r\n`, [400, 505]),
  );

  test("H27 a request line without a version", () => refused("GET /v1/x\r\n\r\n", [400, 505]));

  test("H27 the preface of HTTP/2", () =>
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", [400, 505]));
});

/** What the engine saw of the last request. */
const last = () => pair.upstream.seen.at(-1)!;

describe("taken", () => {
  test("H05 a content-length with leading zeros, and passed on without them", async () => {
    const bytes = chat().replace("content-length: ", "content-length: 000");
    const [answer] = await pair.ask(bytes);
    expect(answer?.status).toBe(200);
    expect(last().headers).toContainEqual(["content-length", String(CHAT_BODY.length)]);
  });

  test("H11 a chunk extension, and not passed on", async () => {
    const [answer] = await pair.ask(chunked(VALID_CHUNKS.replace("\r\n", ";a=b\r\n")));
    expect(answer?.status).toBe(200);
    expect(last().body.toString()).toBe(CHAT_BODY);
    expect(last().head).not.toMatch(/transfer-encoding|a=b/);
  });

  test("H13 trailers, and none of them becomes a header", async () => {
    const trailers = "Host: evil\r\nAuthorization: evil\r\nTE: evil\r\nX-T: evil\r\n";
    const [answer] = await pair.ask(chunked(VALID_CHUNKS.replace(/\r\n$/, `${trailers}\r\n`)));
    expect(answer?.status).toBe(200);
    expect(last().head).not.toContain("evil");
    expect(last().body.toString()).toBe(CHAT_BODY);
  });

  test("H61 an empty line before the request line", async () => {
    const [answer] = await pair.ask(`\r\n${chat()}`);
    expect(answer?.status).toBe(200);
  });
});

describe("HTTP/1.0", () => {
  const old = (headers: string): string =>
    `POST /v1/chat/completions HTTP/1.0\r\ncontent-length: ${CHAT_BODY.length}\r\n${headers}\r\n${CHAT_BODY}`;

  test.each([
    ["with Host", "host: a\r\n"],
    ["without Host", ""],
  ])("H26 %s is answered without chunks and closed", async (_name, headers) => {
    pair.upstream.script = (socket) =>
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    const client = await pair.client();
    client.write(old(headers));
    await client.closed();
    pair.upstream.script = (socket) =>
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    expect(client.heard()[0]).toMatchObject({ status: 200, framing: "close" });
    expect(client.heard()[0]?.body.toString()).toBe("abc");
  });

  test("H26 keep-alive is granted where the length is known", async () => {
    const client = await pair.client();
    client.write(old("connection: keep-alive\r\n"));
    const [answer] = await client.answers();
    expect(answer).toMatchObject({ status: 200, framing: "length" });
    client.write(old("connection: keep-alive\r\n"));
    expect(await client.answers(2)).toHaveLength(2);
    client.destroy();
  });
});

describe("connections", () => {
  test("H57 twenty pipelined requests are answered in order, wrong ones among them", async () => {
    pair.upstream.script = (socket, { body }) => {
      const { tag = "" } = JSON.parse(body.toString()) as { tag?: string };
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${tag.length}\r\n\r\n${tag}`);
    };
    const wrong = [3, 7, 12];
    const requests = Array.from({ length: 20 }, (_, index) =>
      wrong.includes(index)
        ? get(`/nowhere/${index}`)
        : chat("", JSON.stringify({ tag: `${index}-${"x".repeat(index * 1_000)}` })),
    );
    const client = await pair.client();
    client.write(requests.join(""));
    const answers = await client.answers(20);
    expect(answers.map(({ status }) => status)).toEqual(
      requests.map((_, index) => (wrong.includes(index) ? 404 : 200)),
    );
    const tags = answers.map(({ body }) => Number.parseInt(body.toString(), 10));
    expect(tags.filter(Number.isInteger)).toEqual(
      requests.map((_, index) => index).filter((index) => !wrong.includes(index)),
    );
    client.destroy();
  });

  test("H58 Connection: close is kept to on both sides", async () => {
    pair.upstream.script = (socket) =>
      socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
    const client = await pair.client();
    client.write(chat("connection: close\r\n"));
    await client.closed();
    expect(client.heard()[0]).toMatchObject({ status: 200, isComplete: true });
    const first = last().connection;
    await pair.ask(chat());
    expect(last().connection).not.toBe(first);
    pair.upstream.script = (socket) =>
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
  });

  test("H62 a request that comes byte by byte arrives the same", async () => {
    const client = await pair.client();
    for (const byte of Buffer.from(chat())) {
      client.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect((await client.answers())[0]?.status).toBe(200);
    expect(last().body.toString()).toBe(CHAT_BODY);
    client.destroy();
  });

  test("H63 a request split anywhere arrives the same", async () => {
    const bytes = chat("x-request-id: split\r\n");
    await pair.ask(bytes);
    const whole = last();
    const client = await pair.client();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.nat(bytes.length), async (one, two) => {
        const [a, b] = [Math.min(one, two), Math.max(one, two)];
        for (const piece of [bytes.slice(0, a), bytes.slice(a, b), bytes.slice(b)]) {
          client.write(piece);
          await new Promise(setImmediate);
        }
        await client.answers(++count);
        expect({ ...last(), connection: 0 }).toEqual({ ...whole, connection: 0 });
      }),
      { numRuns: 200, seed: 63 },
    );
    client.destroy();
  });
});
