import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../../engines/index.ts";
import { type Exchange, OUTPUT_EVENTS_MAX, tpotMs, ttftMs } from "../../engines/exchange.ts";
import type { Ending } from "../../engines/ending.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";

const STREAM = "text/event-stream; charset=utf-8";
const frame = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, reason: string | null = null): string =>
  frame({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: reason }] });
const USAGE = frame({
  choices: [],
  usage: { prompt_tokens: 12, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 8 } },
});
const ROLE = chunk({ role: "assistant", content: "" });
const DONE = "data: [DONE]\n\n";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Piece {
  readonly afterMs: number;
  readonly bytes: Uint8Array;
}

function time(
  pieces: readonly Piece[],
  {
    ending = { kind: "answered" },
    status = 200,
    type = STREAM,
  }: { ending?: Ending; status?: number; type?: string } = {},
): Exchange {
  const clock = new VirtualClock(1_000);
  const timer = begin(clock);
  timer.headers(status, type);
  for (const piece of pieces) {
    clock.advance(piece.afterMs);
    timer.chunk(piece.bytes);
  }
  return timer.end(ending);
}

function begin(clock: VirtualClock): ExchangeTimer {
  const timer = new ExchangeTimer(
    {
      id: "r",
      origin: "real",
      route: "chat",
      model: "m",
      streamed: true,
      startedMs: clock.nowMs(),
      bytesIn: 10,
    },
    clock,
  );
  timer.received();
  timer.routed("replica", engines.vllm, null);
  timer.connected();
  return timer;
}

const at = (afterMs: number, text: string): Piece => ({ afterMs, bytes: bytes(text) });

describe("a streamed exchange", () => {
  const whole = [
    at(50, ROLE),
    at(50, chunk({ content: "He" })),
    at(10, chunk({ content: "l" })),
    at(10, chunk({ content: "lo" }, "stop")),
    at(0, USAGE),
    at(0, DONE),
  ];

  test("counts its first token at the first output, never at the role frame", () => {
    expect(ttftMs(time(whole))).toBe(100);
  });

  test("takes its tokens from usage and says so", () => {
    expect(time(whole).tokens).toEqual({
      input: 12,
      output: 4,
      cachedInput: 8,
      reasoning: null,
      countedBy: "usage",
    });
  });

  test("has a TPOT over n − 1 tokens", () => {
    expect(tpotMs(time(whole))).toBeCloseTo(20 / 3);
  });

  test("keeps when each output came", () => {
    expect([...time(whole).outputOffsetsMs]).toEqual([100, 110, 120]);
  });

  test.each([
    ["reasoning", { reasoning: "hm" }],
    ["reasoning_content", { reasoning_content: "hm" }],
    ["a refusal", { refusal: "no" }],
    ["a tool call", { tool_calls: [{ index: 0, function: { name: "f", arguments: "" } }] }],
  ])("counts %s as output", (_name, delta) => {
    expect(ttftMs(time([at(5, chunk(delta)), at(1, DONE)]))).toBe(5);
  });

  test.each([
    ["an empty content", { content: "" }],
    ["null fields", { content: null, reasoning_content: null }],
    ["an empty reasoning beside nothing", { reasoning_content: "" }],
  ])("does not count %s", (_name, delta) => {
    expect(time([at(5, chunk(delta)), at(1, DONE)]).outputEvents).toBe(0);
  });

  test("without usage counts events and says so", () => {
    expect(
      time([at(1, chunk({ content: "a" })), at(1, chunk({ content: "b" })), at(0, DONE)]).tokens,
    ).toMatchObject({ output: 2, countedBy: "events" });
  });

  test("keeps a bounded number of offsets and counts the rest", () => {
    const many = Array.from({ length: OUTPUT_EVENTS_MAX + 5 }, () =>
      at(1, chunk({ content: "x" })),
    );
    const exchange = time([...many, at(0, DONE)]);
    expect(exchange.outputEvents).toBe(OUTPUT_EVENTS_MAX + 5);
    expect(exchange.outputOffsetsMs).toHaveLength(OUTPUT_EVENTS_MAX);
  });
});

describe("the outcome", () => {
  const begun = [at(5, chunk({ content: "a" }))];

  test.each<[string, Piece[], Parameters<typeof time>[1], object]>([
    [
      "a stream with its end mark is completed",
      [...begun, at(1, DONE)],
      {},
      { kind: "completed", finishReason: null },
    ],
    [
      "a finish reason completes a stream without end mark",
      [at(1, chunk({ content: "a" }, "length"))],
      {},
      { kind: "completed", finishReason: "length" },
    ],
    ["a stream that just stops is cut", begun, {}, { kind: "cut", code: "upstream_cut" }],
    [
      "a stream that stops before output failed",
      [at(1, ROLE)],
      {},
      { kind: "failed", code: "upstream_cut" },
    ],
    [
      "an error event after output is a cut, whatever the status",
      [...begun, at(1, frame({ error: { message: "x", code: 500 } })), at(0, DONE)],
      {},
      { kind: "cut", code: "upstream_error_event" },
    ],
    [
      "an error event alone is a failure, whatever the status",
      [at(1, frame({ error: { message: "x" } }))],
      {},
      { kind: "failed", code: "upstream_error_event" },
    ],
    [
      "garbage is a failure",
      [at(1, "data: {not json\n\n")],
      {},
      { kind: "failed", code: "upstream_error_event" },
    ],
    [
      "a 500 is a failure",
      [at(1, "{}")],
      { status: 500, type: "application/json" },
      { kind: "failed", code: "upstream_status_500" },
    ],
    [
      "a 400 is a refusal, not a failure",
      [at(1, "{}")],
      { status: 400, type: "application/json" },
      { kind: "rejected", code: "upstream_status_400" },
    ],
    [
      "a client that leaves is a cancellation with its phase",
      begun,
      { ending: { kind: "cancelled" } },
      { kind: "cancelled", phase: "decode" },
    ],
    [
      "a broken connection after output is a cut",
      begun,
      { ending: { kind: "broken", code: "upstream_stalled", status: 200 } },
      { kind: "cut", code: "upstream_stalled" },
    ],
  ])("%s", (_name, pieces, options, outcome) => {
    expect(time(pieces, options).outcome).toEqual(outcome);
  });
});

test("an answer that was not streamed has tokens and no first token", () => {
  const body = JSON.stringify({
    choices: [{ message: { content: "Hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 3, completion_tokens: 1 },
  });
  const exchange = time([at(40, body.slice(0, 20)), at(2, body.slice(20))], {
    type: "application/json",
  });
  expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "stop" });
  expect(exchange.tokens).toMatchObject({ input: 3, output: 1, countedBy: "usage" });
  expect(ttftMs(exchange)).toBeNull();
});

test("a second end is refused", () => {
  const timer = begin(new VirtualClock());
  timer.end({ kind: "cancelled" });
  expect(() => timer.end({ kind: "cancelled" })).toThrow("ended twice");
});

test("a failed try is forgotten by the next but kept in the attempts", () => {
  const clock = new VirtualClock();
  const timer = begin(clock);
  clock.advance(5);
  timer.attemptFailed("upstream_connect_failed", null);
  timer.routed("other", engines.sglang, null);
  timer.connected();
  timer.headers(200, STREAM);
  clock.advance(5);
  timer.chunk(bytes(chunk({ content: "a" }, "stop") + DONE));
  const exchange = timer.end({ kind: "answered" });
  expect(exchange.attempts.map(({ replica, result }) => [replica, result])).toEqual([
    ["replica", "upstream_connect_failed"],
    ["other", "answered"],
  ]);
  expect(exchange.replica).toBe("other");
  expect(ttftMs(exchange)).toBe(10);
});

test("any split of the same bytes gives the same exchange", () => {
  const deltas = fc.constantFrom<object>(
    { content: "héllo" },
    { content: "東" },
    { content: "" },
    { content: '"usage":{' },
    { reasoning_content: "…" },
    { role: "assistant" },
    { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] },
  );
  fc.assert(
    fc.property(
      fc.array(deltas, { maxLength: 20 }),
      fc.constantFrom("\n", "\r\n"),
      fc.array(fc.nat(5_000), { maxLength: 15 }),
      (list, end, cuts) => {
        const text = (list.map((delta) => chunk(delta)).join("") + USAGE + DONE).replaceAll(
          "\n",
          end,
        );
        const all = bytes(text);
        const borders = [
          0,
          ...cuts.map((at) => at % (all.length + 1)).sort((a, b) => a - b),
          all.length,
        ];
        const pieces = borders
          .slice(1)
          .map((to, index) => ({ afterMs: 0, bytes: all.subarray(borders[index], to) }));
        expect(time(pieces)).toEqual(time([{ afterMs: 0, bytes: all }]));
      },
    ),
  );
});

test("the quick look at an event agrees with the full reading", () => {
  const value = fc.string({ maxLength: 8 });
  const delta = fc.oneof(
    fc.record({ content: value }),
    fc.record({ reasoning_content: fc.option(value), content: fc.option(value) }),
    fc.record({ role: fc.constant("assistant"), content: value }),
    fc.constant({}),
  );
  fc.assert(
    fc.property(fc.array(delta, { minLength: 1, maxLength: 12 }), (list) => {
      const stream = [chunk({ content: "first" }), ...list.map((one) => chunk(one)), DONE].join("");
      const truth =
        1 +
        list.filter((one) =>
          Object.entries(one).some(
            ([key, text]) => key !== "role" && typeof text === "string" && text !== "",
          ),
        ).length;
      expect(time([at(1, stream)]).outputEvents).toBe(truth);
    }),
  );
});
