import { describe, expect, test } from "vitest";
import type { InferenceRoute } from "../../engines/exchange.ts";
import { ANSWER_BYTES_MAX, AnswerReader, VECTOR_BYTES_MAX } from "../../engines/answer-reader.ts";
import { engines } from "../../engines/index.ts";
import { KeptAnswer } from "../../engines/kept-answer.ts";

function read(route: InferenceRoute, text: string, pieceBytes = 50_000): AnswerReader {
  const reader = new AnswerReader(engines.vllm, route, "application/json");
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes)
    reader.push(bytes.subarray(at, at + pieceBytes), 0);
  reader.end();
  return reader;
}

const vectors = (numbers: number): string => JSON.stringify(Array(numbers).fill(0.012_345_678));
const usage =
  '"usage":{"prompt_tokens":700,"total_tokens":700,"prompt_tokens_details":{"cached_tokens":3}}';

describe("a large answer", () => {
  test.each([
    [
      "last, as vLLM, SGLang and OpenAI do",
      `{"data":[{"embedding":${vectors(100_000)}}],${usage}}`,
    ],
    [
      "first, as llama.cpp does",
      `{"object":"list",${usage},"data":[{"embedding":${vectors(100_000)}}]}`,
    ],
  ])("has its usage found when that is written %s", (_name, text) => {
    expect(text.length).toBeGreaterThan(VECTOR_BYTES_MAX);
    for (const pieceBytes of [97, 50_000, text.length])
      expect(read("embeddings", text, pieceBytes).usage).toMatchObject({
        inputTokens: 700,
        cachedInputTokens: 3,
      });
  });

  test("without usage is uncounted and no error", () => {
    const { usage: found, error } = read(
      "embeddings",
      `{"data":[{"embedding":${vectors(100_000)}}]}`,
    );
    expect([found, error]).toEqual([null, null]);
  });

  test("that talks about usage in a text of its own is not fooled by broken JSON", () => {
    const text = `{"data":"${"x".repeat(VECTOR_BYTES_MAX)}","usage":{"prompt_tokens":}}`;
    expect(read("embeddings", text).usage).toBeNull();
  });

  test("of a chat is counted though too large to be read", () => {
    const words = "word ".repeat(ANSWER_BYTES_MAX / 5 + 1);
    const text = `{"choices":[{"message":{"content":"${words}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":900000}}`;
    expect(read("chat", text).usage).toMatchObject({ inputTokens: 9, outputTokens: 900_000 });
  });
});

test("an answer of exactly the limit is whole, one byte more is not", () => {
  const at = new KeptAnswer(10);
  at.push(Buffer.from("0123456789"));
  expect(at.text()).toBe("0123456789");
  at.push(Buffer.from("x"));
  expect(at.text()).toBeNull();
});

test("little is kept of an answer of any size", () => {
  const kept = new KeptAnswer(1_000);
  for (let index = 0; index < 2_000; index++) kept.push(Buffer.alloc(65_536, "a"));
  kept.push(Buffer.from(usage));
  expect(kept.usageAtEdges()).toMatchObject({ inputTokens: 700 });
});
