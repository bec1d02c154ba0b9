import { expect, test } from "vitest";
import { tpotMs, ttfbMs, ttftMs } from "../../../engines/exchange.ts";
import { ExchangeTimer } from "../../../engines/exchange-timer.ts";
import { engines } from "../../../engines/index.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";

/** One answer fed to the timer piece by piece at given moments. */
function answered(pieces: readonly (readonly [atMs: number, text: string])[]) {
  const clock = new VirtualClock();
  const timer = new ExchangeTimer(
    {
      id: "x",
      origin: "synthetic",
      route: "chat",
      model: "m",
      streamed: true,
      startedMs: 0,
      bytesIn: 0,
    },
    clock,
  );
  timer.routed("e", engines.vllm, null);
  timer.connected();
  timer.headers(200, "text/event-stream");
  for (const [atMs, text] of pieces) {
    clock.advance(atMs - clock.nowMs());
    timer.chunk(Buffer.from(text));
  }
  return timer.end({ kind: "answered" });
}

const delta = (fields: object, reason: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: fields, finish_reason: reason }] })}\n\n`;
const DONE = "data: [DONE]\n\n";

test("trap 1: the role chunk is no token; the naive clock stops at the first chunk", () => {
  const exchange = answered([
    [5, delta({ role: "assistant", content: "" })],
    [200, delta({ content: "Hi" }, "stop") + DONE],
  ]);
  expect(ttftMs(exchange)).toBe(200);
  const naive = ttfbMs(exchange);
  expect(naive).toBe(5);
});

test("trap 2: reasoning is output: its first token is the first token; the naive clock waits for the answer", () => {
  const exchange = answered([
    [100, delta({ reasoning_content: "Hm" })],
    [900, delta({ content: "Hi" }, "stop") + DONE],
  ]);
  expect(ttftMs(exchange)).toBe(100);
  expect(exchange.times.firstAnswerMs).toBe(900);
  const naive = exchange.times.lastTokenMs;
  expect(naive).toBe(900);
});

test("trap 6: one token has no time per token; the naive zero would drag every median down", () => {
  expect(tpotMs(answered([[10, delta({ content: "a" }, "length") + DONE]]))).toBeNull();
});

test("trap 15: an event cut in mid-character, several in one read and a comment are read as they were written", () => {
  const whole = `: ping\r\n\r\n${delta({ content: "Zürich" }).replaceAll("\n", "\r\n")}${delta({ content: "!" }, "stop")}${DONE}`;
  const bytes = Buffer.from(whole);
  const cut = bytes.indexOf("ü") + 1;
  const clock = new VirtualClock();
  const timer = new ExchangeTimer(
    {
      id: "x",
      origin: "synthetic",
      route: "chat",
      model: "m",
      streamed: true,
      startedMs: 0,
      bytesIn: 0,
    },
    clock,
  );
  timer.routed("e", engines.vllm, null);
  timer.headers(200, "text/event-stream");
  timer.chunk(bytes.subarray(0, cut));
  timer.chunk(bytes.subarray(cut));
  const exchange = timer.end({ kind: "answered" });
  expect(exchange).toMatchObject({ outputEvents: 2, outcome: { kind: "completed" } });
  const naive = 2; // reads
  expect(naive).not.toBe(3); // events and comment
});
