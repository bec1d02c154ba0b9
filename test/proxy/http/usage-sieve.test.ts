import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageSieve } from "../../../proxy/http/usage-sieve.ts";

const USAGE = 'data: {"id":"a","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}';
const OTHERS = [
  'data: {"choices":[{"index":0,"delta":{"content":"Hé 🛩"}}]}',
  'data: {"choices":[{"index":0,"delta":{"content":"say \\"usage\\": {} and \\"choices\\":[]"}}]}',
  'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":3}}',
  'data: {"choices":[],"usage":null}',
  'data: {"choices":[],"prompt_filter_results":[]}',
  'data: {"error":{"message":"\\"usage\\""}}',
  'data: {"choices":[],"usage":{"cut',
  ": ping",
  ":",
  "event: usage",
  "data: [DONE]",
  `data: {"choices":[],"usage":{"pad":"${"x".repeat(20_000)}"}}`,
];

function through(pieces: readonly Buffer[]): string {
  // Holds all of it: one that is full would keep the rest on its writing side, where nobody reads.
  const sink = new PassThrough({ highWaterMark: 1_048_576 });
  const sieve = new UsageSieve();
  for (const piece of pieces) sieve.pass(piece, sink);
  sieve.end(sink);
  return String(sink.read() ?? "");
}

/** Pieces that end at the given places, or nearby. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe("a stream less the usage that was not asked for", () => {
  test("is every other byte of it, however it is cut and whatever ends its lines", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...OTHERS), { maxLength: 5 }),
        fc.array(fc.constantFrom(...OTHERS), { maxLength: 5 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (before, behind, newline, places, isWhole) => {
          const blocks = (all: readonly string[]): string =>
            all.map((block) => block + newline + newline).join("");
          const text = blocks([...before, USAGE, ...behind]);
          const rest = isWhole ? "" : 'data: {"choices":[{"ind';
          expect(through(cut(text + rest, places))).toBe(blocks([...before, ...behind]) + rest);
        },
      ),
      { numRuns: 400 },
    );
  });

  test("is the same when it comes byte by byte", () => {
    const text = `${OTHERS[0]}\r\n\r\n${USAGE}\r\n\r\ndata: [DONE]\r\n\r\n`;
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    expect(through(bytes)).toBe(`${OTHERS[0]}\r\n\r\ndata: [DONE]\r\n\r\n`);
  });

  test("lacks the event even where its blank line never came", () => {
    expect(through(cut(`${OTHERS[0]}\n\n${USAGE}`, [3, 60]))).toBe(`${OTHERS[0]}\n\n`);
  });

  test("loses one event and no more", () => {
    expect(through([Buffer.from(`${USAGE}\n\n${USAGE}\n\n`)])).toBe(`${USAGE}\n\n`);
  });

  test("passes whole events at once and holds back only the one that has begun", () => {
    const sink = new PassThrough();
    const sieve = new UsageSieve();
    sieve.pass(Buffer.from("data: 1\n\ndata: 2\r\n\r\ndata: {"), sink);
    expect(String(sink.read())).toBe("data: 1\n\ndata: 2\r\n\r\n");
    sieve.pass(Buffer.from("}\r"), sink);
    sieve.pass(Buffer.from("\n\r"), sink);
    expect(String(sink.read())).toBe("data: {}\r\n\r");
    sieve.pass(Buffer.from("\n"), sink);
    expect(String(sink.read())).toBe("\n");
  });

  test("says when its client wants no more for now", () => {
    const sieve = new UsageSieve();
    const slow = new PassThrough({ highWaterMark: 4 });
    expect(sieve.pass(Buffer.from("data: {"), slow)).toBe(true);
    expect(sieve.pass(Buffer.from("}\n\n"), slow)).toBe(false);
  });
});
