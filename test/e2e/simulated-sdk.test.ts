import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { MODEL, until } from "../harness/fleet.ts";
import { PERSONAS, WEATHER, withEngine } from "../harness/simulated.ts";

const messages = [{ role: "user" as const, content: "How is the wind?" }];
const client = (url: string): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const tool = { ...WEATHER, type: "function" as const };

describe.each(PERSONAS)("the official OpenAI client on a simulated %s", (persona) => {
  test("accumulates a streamed tool call it can parse", async () => {
    await withEngine(persona, {}, async (engine) => {
      const runner = client(engine.url).chat.completions.stream({
        model: MODEL,
        messages,
        tools: [tool],
        tool_choice: "required",
        max_completion_tokens: 200,
      });
      const { choices } = await runner.finalChatCompletion();
      const call = choices[0]?.message.tool_calls?.[0];
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      expect(call?.type === "function" && call.function.name).toBe("get_weather");
      expect(
        call?.type === "function" && (JSON.parse(call.function.arguments) as object),
      ).toHaveProperty("city");
    });
  });

  test("reads a whole tool call, answers it, and gets words", async () => {
    await withEngine(persona, {}, async (engine) => {
      const openai = client(engine.url);
      const first = await openai.chat.completions.create({
        model: MODEL,
        messages,
        tools: [tool],
        tool_choice: "required",
      });
      const message = first.choices[0]!.message;
      const call = message.tool_calls![0]!;
      const second = await openai.chat.completions.create({
        model: MODEL,
        messages: [
          ...messages,
          message,
          { role: "tool", tool_call_id: call.id, content: "12 knots" },
        ],
        tools: [tool],
        max_completion_tokens: 8,
      });
      expect(second.choices[0]?.message.content).not.toBe("");
      expect(second.choices[0]?.message.tool_calls ?? []).toEqual([]);
    });
  });

  test("streams the Responses API to a final response", async () => {
    await withEngine(persona, {}, async (engine) => {
      const stream = client(engine.url).responses.stream({
        model: MODEL,
        input: "How fast?",
        max_output_tokens: 200,
      });
      let deltas = "";
      stream.on("response.output_text.delta", ({ delta }) => (deltas += delta));
      const final = await stream.finalResponse();
      expect(final.output_text).toBe(deltas);
      expect(final.output_text).not.toBe("");
      expect(final.usage?.output_tokens).toBeGreaterThan(0);
    });
  });

  test("meets a rate limit as its own error, with the time to wait", async () => {
    await withEngine(
      persona,
      { faults: [{ kind: "status", status: 429, retryAfterSeconds: 1, first: 1 }] },
      async (engine) => {
        const error = await client(engine.url)
          .chat.completions.create({ model: MODEL, messages })
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(OpenAI.RateLimitError);
        expect(
          (error as InstanceType<typeof OpenAI.RateLimitError>).headers?.get("retry-after"),
        ).toBe("1");
      },
    );
  });

  test("frees the engine when it aborts", async () => {
    await withEngine(persona, { speed: 4 }, async (engine) => {
      const stream = await client(engine.url).chat.completions.create({
        model: MODEL,
        messages,
        max_completion_tokens: 4000,
        stream: true,
      });
      for await (const _chunk of stream) break;
      stream.controller.abort();
      await until(() => engine.stats().running === 0, "the engine lets go");
    });
  });
});
