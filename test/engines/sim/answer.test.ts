import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerChoice, type ChoiceRules } from "../../../engines/sim/answer-choice.ts";
import { AnswerPlan } from "../../../engines/sim/answer-plan.ts";
import { BodyError } from "../../../engines/sim/body-error.ts";
import { type InferenceBody, readInferenceBody } from "../../../engines/sim/inference-body.ts";
import { personas } from "../../../engines/sim/personas/index.ts";
import { tokenize, Vocabulary } from "../../../engines/sim/text.ts";
import { valueOf } from "../../../engines/sim/tool-arguments.ts";
import { WEATHER } from "../../harness/simulated.ts";

const vocabulary = new Vocabulary();
const read = (request: object): InferenceBody =>
  readInferenceBody(
    JSON.stringify({ messages: [{ role: "user", content: "fly" }], ...request }),
    "chat",
    vocabulary,
  );
const plan = (request: object, tokensMax = 200, naturalTokens = 120): AnswerPlan =>
  new AnswerPlan(read(request), 7, { tokensMax, naturalTokens });
const textOf = (one: AnswerPlan): string =>
  Array.from({ length: one.outputTokens }, (_, index) => one.piece(index))
    .filter((piece) => piece.channel === "content")
    .map((piece) => piece.text)
    .join("");

/** Frames of an answer whose tokens came in these portions. */
function framesOf(rules: ChoiceRules, portions: readonly number[], request: object = {}): string[] {
  const writer = personas.vllm.inference["/v1/chat/completions"]!.writer({
    id: "x",
    model: "m",
    created: () => 1,
    promptIds: [1],
    wishes: {
      tokenIds: false,
      logprobs: null,
      echo: null,
      detokenize: true,
      timesTokens: false,
      usageFrame: false,
    },
  });
  const choice = new AnswerChoice(0, plan({ ...request, ignore_eos: true }, 40), rules);
  const none = { usage: null, timings: null, tokensPerStep: null };
  let all = "";
  for (const count of portions) {
    choice.produced = Math.min(40, choice.produced + count);
    choice.finished = choice.produced === 40;
    all += choice.frames(writer, none, none);
    if (choice.finished) break;
  }
  return all.split("\n\n").filter((frame) => frame !== "");
}
const MERGED = { coalesces: true, framesEmptyText: true, seesTokens: false };
const APART = { coalesces: false, framesEmptyText: false, seesTokens: false };
const contentOf = (frames: readonly string[]): string =>
  frames
    .map(
      (frame) =>
        (JSON.parse(frame.slice(6)) as { choices: { delta: { content?: string } }[] }).choices[0]
          ?.delta.content ?? "",
    )
    .join("");

describe("an answer's plan", () => {
  test("is as long as asked, to the token", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom(
          {},
          { reasoning_effort: "high" },
          { tools: [WEATHER], tool_choice: "required" },
          { response_format: { type: "json_object" } },
        ),
        (tokens, more) => {
          const made = plan({ ...more, ignore_eos: true }, tokens);
          expect(made.outputTokens).toBe(tokens);
          expect(made.reasoningTokens).toBeLessThanOrEqual(tokens);
        },
      ),
    );
  });

  test("ends by itself when there is room, and at the bound when there is not", () => {
    expect(plan({})).toMatchObject({ outputTokens: 120, ending: { reason: "stop" } });
    expect(plan({}, 50)).toMatchObject({ outputTokens: 50, ending: { reason: "length" } });
    expect(plan({ min_tokens: 150 })).toMatchObject({
      outputTokens: 150,
      ending: { reason: "stop" },
    });
    expect(plan({ min_tokens: 50 }, 50)).toMatchObject({
      outputTokens: 50,
      ending: { reason: "length" },
    });
  });

  test("shows exactly what stands before the first stop string", () => {
    const whole = textOf(plan({ ignore_eos: true }));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: whole.length - 8 }),
        fc.integer({ min: 1, max: 7 }),
        (from, length) => {
          const stop = whole.slice(from, from + length);
          const made = plan({ ignore_eos: true, stop: [stop, "never said"] });
          expect(textOf(made)).toBe(whole.slice(0, whole.indexOf(stop)));
          expect(made.ending).toEqual({ reason: "stop", matched: stop });
        },
      ),
    );
  });

  test("does not stop before the least length", () => {
    const whole = textOf(plan({ ignore_eos: true }));
    const stop = whole.split(" ")[2]!;
    expect(plan({ ignore_eos: true, stop, min_tokens: 30 }).outputTokens).toBeGreaterThanOrEqual(
      30,
    );
  });

  test("stops at a token id and names it", () => {
    const first = plan({ ignore_eos: true });
    const { id } = first.piece(9);
    const made = plan({ ignore_eos: true, stop_token_ids: [id] });
    expect(made.ending).toEqual({ reason: "stop", matched: id });
    expect(made.outputTokens).toBeLessThanOrEqual(10);
  });
});

describe("frames", () => {
  test("hold the same text however the tokens come", () => {
    const one = contentOf(framesOf(APART, Array(40).fill(1) as number[]));
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 40, maxLength: 40 }),
        fc.boolean(),
        (portions, merged) => {
          expect(contentOf(framesOf(merged ? MERGED : APART, portions))).toBe(one);
        },
      ),
    );
  });

  test("of a burst are one where the engine merges, and one a token where it does not", () => {
    const bursts = Array(10).fill(4) as number[];
    // The role, then one a burst.
    expect(framesOf(MERGED, bursts)).toHaveLength(11);
    expect(framesOf(APART, bursts).length).toBeGreaterThan(36);
  });

  test("never mix thinking and answer", () => {
    for (const frame of framesOf(MERGED, [7, 33], { reasoning_effort: "low" }))
      expect(frame.includes('"reasoning":') && frame.includes('"content":"')).toBe(false);
  });
});

describe("a body", () => {
  test.each([
    [{ n: 0 }, "n"],
    [{ max_tokens: -1 }, "max_tokens"],
    [{ max_tokens: "many" }, "max_tokens"],
    [{ logprobs: true, top_logprobs: 99 }, "top_logprobs"],
    [{ stop: 5 }, "stop"],
    [{ stop: [5] }, "stop"],
    [{ stream_options: 3 }, "stream_options"],
    [{ tools: [{}] }, "tools"],
    [{ messages: ["hello"] }, "messages"],
    [{ stream_interval: 0 }, "stream_interval"],
  ])("with %j is refused by the field's name", (request, param) => {
    expect(() => read(request)).toThrow(BodyError);
    expect(() => read(request)).toThrow(param);
  });

  test("never fails in another way, whatever it is", () => {
    const outcome = (
      body: string,
      dialect: "chat" | "completions" | "responses" | "messages" | "generate",
    ): string => {
      try {
        readInferenceBody(body, dialect, vocabulary);
        return "read";
      } catch (error) {
        return error instanceof BodyError ? "refused" : String(error);
      }
    };
    const dialects = fc.constantFrom(
      "chat" as const,
      "completions" as const,
      "responses" as const,
      "messages" as const,
      "generate" as const,
    );
    const fields = fc.constantFrom(
      "messages",
      "prompt",
      "input",
      "tools",
      "tool_choice",
      "stop",
      "text",
      "reasoning",
      "system",
      "sampling_params",
      "response_format",
    );
    fc.assert(
      fc.property(fc.dictionary(fields, fc.jsonValue()), dialects, (request, dialect) => {
        expect(["read", "refused"]).toContain(outcome(JSON.stringify(request), dialect));
      }),
      { numRuns: 500 },
    );
  });
});

test("a value fits its schema's bounds, and deep or endless schemas end", () => {
  expect(valueOf({ type: "integer", minimum: 3, maximum: 3 }, 9)).toBe(3);
  expect(valueOf({ enum: ["a"] }, 5)).toBe("a");
  const endless: Record<string, unknown> = { type: "object" };
  endless["properties"] = { again: endless };
  expect(JSON.stringify(valueOf(endless, 1)).length).toBeLessThan(200);
});

test("a text is its tokens and its tokens are the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const { ids } = vocabulary.tokenize(text);
      expect(ids).toEqual(tokenize(text));
      expect(vocabulary.detokenize(ids)).toBe(text);
    }),
  );
});
