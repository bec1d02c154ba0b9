import { expect, test } from "vitest";
import { AnswerReader } from "../../engines/answer-reader.ts";
import { engines } from "../../engines/index.ts";
import type { OutputTimes } from "../../engines/output-times.ts";

/** When output came of a stream whose deltas came every ten milliseconds. */
function timesOf(deltas: readonly object[]): OutputTimes {
  const reader = new AnswerReader(engines.vllm, "chat", "text/event-stream");
  for (const [index, delta] of deltas.entries()) {
    const frame = { object: "chat.completion.chunk", choices: [{ index: 0, delta }] };
    reader.push(Buffer.from(`data: ${JSON.stringify(frame)}\n\n`), 10 * (index + 1));
  }
  reader.push(Buffer.from("data: [DONE]\n\n"), 10 * (deltas.length + 1));
  reader.end();
  return reader.output;
}

const answer = [{ content: "c" }, { content: "d" }];

test.each<[string, readonly object[]]>([
  ["reasoning in every event before it", [{ reasoning: "a" }, { reasoning: "b" }]],
  [
    "reasoning under its older name",
    [{ reasoning_content: "a" }, { content: "", reasoning_content: "b" }],
  ],
  ["nothing but a role before it", [{ role: "assistant", content: "" }]],
  ["nothing before it", []],
])("the answer itself begins with the first output after reasoning: %s", (_name, before) => {
  const { firstMs, firstAnswerMs } = timesOf([...before, ...answer]);
  expect(firstAnswerMs).toBe(10 * before.length + 10);
  expect(firstMs).toBe("role" in (before[0] ?? {}) ? 20 : 10);
});

test("a tool call is an answer", () => {
  const call = { tool_calls: [{ index: 0, function: { name: "f", arguments: "" } }] };
  expect(timesOf([{ reasoning: "a" }, call]).firstAnswerMs).toBe(20);
});

test("the end of reasoning and the first word of the answer in one event are the answer's", () => {
  const both = { reasoning: "so", content: "Hi" };
  expect(timesOf([{ reasoning: "a" }, both])).toMatchObject({ firstMs: 10, firstAnswerMs: 20 });
});

test("what only reasons has no answer", () => {
  expect(timesOf([{ reasoning: "a" }, { reasoning: "b" }])).toMatchObject({
    firstMs: 10,
    lastMs: 20,
    firstAnswerMs: null,
  });
});
