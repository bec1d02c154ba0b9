import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../engines/engine.ts";
import type { Exchange, InferenceRoute } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";

/** What an answer said, apart from how: the same for every dialect, streamed or not. */
interface Said {
  readonly deltas: readonly object[];
  readonly message: object;
  readonly finish: string;
}

const tool = (call: object): object => ({ tool_calls: [{ index: 0, ...call }] });
const answers: Readonly<Record<string, Said>> = {
  words: {
    deltas: [{ content: "Hello" }, { content: " there" }],
    message: { content: "Hello there" },
    finish: "stop",
  },
  "several bytes a character": {
    deltas: [{ content: "東" }, { content: "京🙂" }, { content: "ñé" }],
    message: { content: "東京🙂ñé" },
    finish: "stop",
  },
  "reasoning, newer name": {
    deltas: [{ reasoning: "think" }, { content: "4" }],
    message: { reasoning: "think", content: "4" },
    finish: "stop",
  },
  "reasoning, older name": {
    deltas: [
      { reasoning_content: "think", content: null },
      { reasoning_content: null, content: "4" },
    ],
    message: { reasoning_content: "think", content: "4" },
    finish: "stop",
  },
  "a tool call": {
    deltas: [
      tool({ id: "c", type: "function", function: { name: "f", arguments: "" } }),
      tool({ function: { arguments: '{"a":' } }),
      tool({ function: { arguments: "1}" } }),
    ],
    message: { content: null, tool_calls: [{ function: { name: "f", arguments: '{"a":1}' } }] },
    finish: "tool_calls",
  },
  "a refusal": {
    deltas: [{ refusal: "No" }, { refusal: "." }],
    message: { refusal: "No." },
    finish: "stop",
  },
  "text that looks like the wire": {
    deltas: [{ content: '"usage":{"completion_tokens":999}' }, { content: "data: [DONE]\n\n" }],
    message: { content: '"error":{"message":"x"}' },
    finish: "length",
  },
};

const usages: Readonly<Record<string, readonly [object, object]>> = {
  "bare counts": [
    { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
    { input: 9, output: 5, cachedInput: null, reasoning: null },
  ],
  "cached and reasoning tokens": [
    {
      prompt_tokens: 9,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 8 },
      completion_tokens_details: { reasoning_tokens: 2 },
    },
    { input: 9, output: 5, cachedInput: 8, reasoning: 2 },
  ],
  "null details and flat reasoning": [
    { prompt_tokens: 9, completion_tokens: 5, prompt_tokens_details: null, reasoning_tokens: 2 },
    { input: 9, output: 5, cachedInput: null, reasoning: 2 },
  ],
  "details of zero": [
    { prompt_tokens: 9, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } },
    { input: 9, output: 5, cachedInput: 0, reasoning: null },
  ],
};

const DONE = "data: [DONE]\n\n";
const SSE = "text/event-stream; charset=utf-8";
const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

/** Holds one dialect to what all of them must read, in every kind of answer. */
export function dialectTests(engine: Engine): void {
  const read = (route: InferenceRoute, text: string, type = SSE): Exchange =>
    readPieces(route, [Buffer.from(text)], type);

  function readPieces(route: InferenceRoute, pieces: readonly Uint8Array[], type = SSE): Exchange {
    const clock = new VirtualClock(1_000);
    const start = { id: "d", origin: "real", route, model: "m", streamed: true } as const;
    const timer = new ExchangeTimer({ ...start, startedMs: clock.nowMs(), bytesIn: 1 }, clock);
    timer.routed("replica", engine, null);
    timer.headers(200, type);
    for (const piece of pieces) timer.chunk(piece);
    return timer.end({ kind: "answered" });
  }

  describe(`dialect ${engine.name}`, () => {
    describe.each(Object.entries(answers))("reads %s", (_name, { deltas, message, finish }) => {
      const stream = [
        event({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] }),
        ...deltas.map((delta) => event({ choices: [{ index: 0, delta, finish_reason: null }] })),
        event({ choices: [{ index: 0, delta: {}, finish_reason: finish }] }),
        event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 7 } }),
        DONE,
      ].join("");
      const counted = { input: 3, output: 7, countedBy: "usage" };

      test("in a stream", () => {
        const exchange = read("chat", stream);
        expect(exchange.outcome).toEqual({ kind: "completed", finishReason: finish });
        expect(exchange.outputEvents).toBe(deltas.length);
        expect(exchange.tokens).toMatchObject(counted);
      });

      test("in one piece", () => {
        const usage = { prompt_tokens: 3, completion_tokens: 7 };
        const whole = { choices: [{ index: 0, message, finish_reason: finish }], usage };
        const exchange = read("chat", JSON.stringify(whole), "application/json");
        expect(exchange.outcome).toEqual({ kind: "completed", finishReason: finish });
        expect(exchange.tokens).toMatchObject(counted);
        expect(exchange.times.firstTokenMs).toBeNull();
      });

      test("without usage as the events it came in", () => {
        const bare = stream.replace(/data: \{"choices":\[\],.*\n\n/, "");
        expect(read("chat", bare).tokens).toMatchObject({
          output: deltas.length,
          countedBy: "events",
        });
      });

      test("however its bytes are cut", () => {
        const bytes = Buffer.from(stream);
        const whole = readPieces("chat", [bytes]);
        const cutting = fc.array(fc.nat(bytes.length), { maxLength: 9 });
        fc.assert(
          fc.property(cutting, (cuts) => {
            const borders = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
            const pieces = borders.slice(1).map((to, at) => bytes.subarray(borders[at], to));
            expect(readPieces("chat", pieces)).toEqual(whole);
          }),
          { numRuns: 20, seed: 3 },
        );
      });

      test("as a cut when it breaks off, as a failure when it says an error", () => {
        const begun = stream.slice(
          0,
          stream.indexOf(event({ choices: [{ index: 0, delta: {}, finish_reason: finish }] })),
        );
        expect(read("chat", begun).outcome).toEqual({ kind: "cut", code: "upstream_cut" });
        const failed = begun + event({ error: { message: "x", type: "y", code: 500 } }) + DONE;
        expect(read("chat", failed).outcome).toEqual({ kind: "cut", code: "upstream_error_event" });
      });
    });

    test("reads a text completion, streamed and whole", () => {
      const usage = { prompt_tokens: 3, completion_tokens: 7 };
      const parts = ["Hel", "lo", ""].map((text, at) =>
        event({ choices: [{ index: 0, text, finish_reason: at === 2 ? "length" : null }] }),
      );
      const streamed = read("completions", parts.join("") + event({ choices: [], usage }) + DONE);
      expect(streamed).toMatchObject({ outputEvents: 2, tokens: { output: 7 } });
      const whole = { choices: [{ index: 0, text: "Hello", finish_reason: "length" }], usage };
      const exchange = read("completions", JSON.stringify(whole), "application/json");
      expect(exchange.tokens).toMatchObject({ input: 3, output: 7 });
    });

    test.each(Object.entries(usages))("reads usage of %s", (_name, [usage, wanted]) => {
      const text =
        event({ choices: [{ delta: { content: "a" } }] }) + event({ choices: [], usage });
      expect(read("chat", text + DONE).tokens).toMatchObject(wanted);
    });

    test("reads an answer of nothing, streamed and whole", () => {
      const usage = { prompt_tokens: 3, completion_tokens: 1 };
      const end = event({ choices: [{ index: 0, delta: { content: "" }, finish_reason: "stop" }] });
      for (const exchange of [
        read("chat", end + event({ choices: [], usage }) + DONE),
        read(
          "chat",
          JSON.stringify({ choices: [{ message: { content: "" }, finish_reason: "stop" }], usage }),
          "application/json",
        ),
      ]) {
        expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "stop" });
        expect(exchange.tokens).toMatchObject({ output: 1, countedBy: "usage" });
        expect(exchange.outputEvents).toBe(0);
      }
    });

    test("counts by log probabilities where nothing better is told", () => {
      const part = (content: string, tokens: number): string =>
        event({
          choices: [
            {
              delta: { content },
              logprobs: {
                content: Array.from({ length: tokens }, () => ({ token: "t", logprob: -1 })),
              },
            },
          ],
        });
      expect(read("chat", part("a", 1) + part("b c d", 3) + DONE).tokens).toMatchObject({
        output: 4,
        countedBy: "logprobs",
      });
    });

    test("does not believe usage that counts less than was seen of a broken stream", () => {
      const usage = { prompt_tokens: 3, completion_tokens: 0 };
      const text = event({ choices: [{ delta: { role: "assistant" } }], usage });
      const said = event({ choices: [{ delta: { content: "a" } }] });
      expect(read("chat", text + said + said).tokens).toMatchObject({
        input: 3,
        output: 2,
        countedBy: "events",
      });
    });

    test.each([
      ["nested", { error: { message: "x", code: 500 } }],
      ["flat", { object: "error", message: "x", code: 400 }],
      ["a string", { error: "Unauthorized" }],
      ["a reason to give up", { choices: [{ index: 0, delta: {}, finish_reason: "abort" }] }],
    ])("takes a 200 whose error is %s for a failure", (_name, frame) => {
      const failure = { kind: "failed", code: "upstream_error_event" };
      expect(read("chat", event(frame) + DONE).outcome).toEqual(failure);
      expect(read("chat", JSON.stringify(frame), "application/json").outcome).toEqual(failure);
    });

    test("leaves answers without a meaning unread and counts them as answered", () => {
      expect(read("other", "data: nonsense\n\n").outcome.kind).toBe("completed");
      expect(read("other", "\u0000RIFF", "audio/wav").outcome.kind).toBe("completed");
    });

    test("asks for an exact length, whatever bounds the body had", () => {
      const body = {
        model: "m",
        temperature: 0,
        max_completion_tokens: 9_999,
        stop: ["x"],
        response_format: { type: "json_object" },
      };
      const forced = engine.forceLength(body, 7);
      expect(forced).toMatchObject({ model: "m", temperature: 0, max_tokens: 7 });
      expect(Object.keys(forced)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/stop|response_format|completion_tokens/)]),
      );
      expect(body.stop).toEqual(["x"]);
    });

    test("takes another program's page for no statistics", () => {
      for (const path of engine.stats.paths) {
        for (const page of ["<html>", "", "[]", "{}", "null", "up 1\n", '[{"iter":1}]'])
          expect(engine.stats.read(path, page)?.running ?? null).toBe(
            path === "/slots" && page === "[]" ? 0 : null,
          );
      }
    });

    test("says which of its routes take prompts and keeps the operator's apart", () => {
      const { inference, control, health } = engine.paths;
      expect(inference["/v1/chat/completions"]).toBe("chat");
      expect(health).toMatch(/^\//);
      const closed = Object.keys(inference).filter(
        (path) =>
          path.startsWith("/v1/") &&
          control.some((one) => path === one || path.startsWith(`${one}/`)),
      );
      expect(closed).toEqual([]);
    });

    test("reads back what its tokenizer calls say, and nothing else", () => {
      const calls = engine.tokenizer;
      if (calls === null) return;
      expect(calls.tokenize.read('{"tokens":[1,2,3],"count":3}')).toEqual([1, 2, 3]);
      for (const wrong of ['{"error":"x"}', '{"tokens":"1"}', '{"tokens":["a"]}', "<html>", "null"])
        expect(calls.tokenize.read(wrong)).toBeNull();
      expect(calls.detokenize?.read("{}") ?? null).toBeNull();
    });
  });
}
