import { describe, expect, test } from "vitest";
import { engines } from "../../engines/index.ts";
import { startSimulatedEngine } from "../../engines/sim/server.ts";
import { JSON_HEADERS, MODEL } from "../harness/fleet.ts";

const event = (data: unknown, name = "message"): { name: string; data: string } => ({
  name,
  data: typeof data === "string" ? data : JSON.stringify(data),
});

describe.each(Object.values(engines))("dialect $name", (engine) => {
  test.each([
    ["content", { delta: { content: "ab" } }, { outputChars: 2, channel: "content" }],
    ["reasoning", { delta: { reasoning: "abc" } }, { outputChars: 3, channel: "reasoning" }],
    [
      "reasoning_content beside null content",
      { delta: { reasoning_content: "abc", content: null } },
      { outputChars: 3, channel: "reasoning" },
    ],
    [
      "a tool call's arguments",
      { delta: { tool_calls: [{ index: 0, function: { arguments: "{}" } }] } },
      { outputChars: 2, channel: "tool" },
    ],
    [
      "a role frame",
      { delta: { role: "assistant", content: "" } },
      { outputChars: 0, channel: null },
    ],
    [
      "a finish",
      { delta: {}, finish_reason: "length" },
      { outputChars: 0, finishReason: "length" },
    ],
    ["text of a completion", { text: "xyz" }, { outputChars: 3, channel: "content" }],
    ["token ids", { text: "", token_ids: [1, 2] }, { outputChars: 0, tokenIds: 2 }],
  ])("reads %s", (_name, choice, wanted) => {
    expect(engine.readDelta(event({ choices: [{ index: 0, ...choice }] }), "chat")).toMatchObject(
      wanted,
    );
  });

  test("adds up the choices of n > 1", () => {
    expect(
      engine.readDelta(
        event({ choices: [{ delta: { content: "a" } }, { delta: { content: "bc" } }] }),
        "chat",
      ).outputChars,
    ).toBe(3);
  });

  test.each([
    [
      "nested details",
      {
        prompt_tokens: 9,
        completion_tokens: 3,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 1 },
      },
      { inputTokens: 9, outputTokens: 3, cachedInputTokens: 4, reasoningTokens: 1 },
    ],
    [
      "null details",
      { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: null },
      { inputTokens: 9, outputTokens: 3, cachedInputTokens: null },
    ],
    [
      "flat reasoning tokens",
      { prompt_tokens: 9, completion_tokens: 3, reasoning_tokens: 2 },
      { reasoningTokens: 2 },
    ],
    [
      "Anthropic names, cached apart",
      { input_tokens: 5, output_tokens: 3, cache_read_input_tokens: 4 },
      { inputTokens: 9, outputTokens: 3, cachedInputTokens: 4 },
    ],
  ])("reads usage with %s", (_name, usage, wanted) => {
    expect(engine.readDelta(event({ choices: [], usage }), "chat").usage).toMatchObject(wanted);
  });

  test.each([
    ["nested", { error: { message: "x", code: 500 } }],
    ["flat", { object: "error", message: "x", code: 400 }],
    ["a string", { error: "Unauthorized" }],
    ["not JSON", "{nope"],
  ])("sees an error that is %s", (_name, data) => {
    expect(engine.readDelta(event(data), "chat").error).not.toBeNull();
  });

  test.each([
    ["the end mark", "[DONE]", "chat"],
    [
      "the end of a response",
      {
        type: "response.completed",
        response: { status: "completed", usage: { input_tokens: 1, output_tokens: 2 } },
      },
      "responses",
    ],
    ["the end of a message", { type: "message_stop" }, "messages"],
  ] as const)("sees %s", (_name, data, route) => {
    expect(engine.readDelta(event(data), route).done).toBe(true);
  });

  test("reads Anthropic text and Responses text", () => {
    expect(
      engine.readDelta(
        event({ type: "content_block_delta", delta: { type: "text_delta", text: "ab" } }),
        "messages",
      ).outputChars,
    ).toBe(2);
    expect(
      engine.readDelta(event({ type: "response.output_text.delta", delta: "abc" }), "responses")
        .outputChars,
    ).toBe(3);
  });
});

test("strict TensorRT-LLM refuses a field it does not know", async () => {
  const sim = await startSimulatedEngine({ persona: "tensorrt-llm", model: MODEL });
  const answer = await fetch(`${sim.url}/v1/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: JSON.stringify({ prompt: "a", cache_prompt: false }),
  });
  expect(answer.status).toBe(400);
  await sim.close();
});
