import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EVENT_BYTES_MAX, readSseEvent, type SseEvent, SseScanner } from "../../engines/sse.ts";

function read(chunks: readonly Uint8Array[]): SseEvent[] {
  const events: SseEvent[] = [];
  const scanner = new SseScanner((bytes, start, end) => {
    const event = readSseEvent(bytes, start, end);
    if (event !== null) events.push(event);
  });
  for (const chunk of chunks) scanner.push(chunk);
  scanner.end();
  return events;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function cut(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const borders = [
    0,
    ...at.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b),
    whole.length,
  ];
  return borders.slice(1).map((end, index) => whole.subarray(borders[index], end));
}

const STREAMS = {
  LF: "data: one\n\ndata: two\n\n",
  CRLF: "data: one\r\n\r\ndata: two\r\n\r\n",
  CR: "data: one\r\rdata: two\r\r",
  "comments between": ": ping\n\ndata: one\n\n:\n\ndata: two\n\n",
  "no blank after the last": "data: one\n\ndata: two",
};

describe("server-sent events", () => {
  test.each(Object.entries(STREAMS))("are found with %s", (_name, text) => {
    expect(read([bytes(text)]).map((event) => event.data)).toEqual(["one", "two"]);
  });

  test("keep their name and join their data lines", () => {
    expect(read([bytes("event: message_stop\ndata: a\ndata: b\nid: 7\n\n")])).toEqual([
      { name: "message_stop", data: "a\nb" },
    ]);
  });

  test("without data are no events", () => {
    expect(read([bytes(": only a comment\n\nevent: x\n\n")])).toEqual([]);
  });

  test("lose only the one space after the colon", () => {
    expect(read([bytes("data:  two spaces\n\ndata:none\n\n")]).map((event) => event.data)).toEqual([
      " two spaces",
      "none",
    ]);
  });

  test("over the limit are dropped and counted, the next one is read", () => {
    const events: string[] = [];
    const scanner = new SseScanner((chunk, start, end) =>
      events.push(readSseEvent(chunk, start, end)?.data ?? ""),
    );
    scanner.push(bytes(`data: ${"x".repeat(EVENT_BYTES_MAX / 2)}`));
    scanner.push(bytes("x".repeat(EVENT_BYTES_MAX)));
    scanner.push(bytes("\n\ndata: after\n\n"));
    expect(events).toEqual(["after"]);
    expect(scanner.oversized).toBe(1);
  });

  test("are the same at any split of the bytes", () => {
    const field = fc
      .string({ unit: "grapheme", maxLength: 12 })
      .filter((text) => !/[\r\n]/.test(text));
    const end = fc.constantFrom("\n", "\r\n", "\r");
    const event = fc.tuple(fc.array(field, { minLength: 1, maxLength: 3 }), end);
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 6 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        (events, at) => {
          // A lone CR before an LF of the next line would be one line end: keep one kind per stream.
          const kind = events[0]?.[1] ?? "\n";
          const text = events
            .map(([lines]) => lines.map((line) => `data: ${line}${kind}`).join("") + kind)
            .join("");
          const whole = bytes(text);
          expect(read(cut(whole, at))).toEqual(read([whole]));
        },
      ),
    );
  });
});
