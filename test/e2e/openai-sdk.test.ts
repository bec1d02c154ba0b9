import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MODEL, startFleet, type TestFleet, until } from "../harness/fleet.ts";

const messages = [{ role: "user" as const, content: "How fast does it fly?" }];

describe("the official OpenAI client through the proxy", () => {
  let fleet: TestFleet;
  let client: OpenAI;
  beforeAll(async () => {
    fleet = await startFleet(["vllm", "sglang", "tensorrt-llm"]);
    client = new OpenAI({ baseURL: `${fleet.proxy.dataUrl}/v1`, apiKey: "none", maxRetries: 0 });
  });
  afterAll(() => fleet.stop());

  test("lists the models", async () => {
    const models = await client.models.list();
    expect(models.data.map((model) => model.id)).toEqual([MODEL]);
  });

  test("gets a whole chat answer with its usage", async () => {
    const answer = await client.chat.completions.create({
      model: MODEL,
      messages,
      max_completion_tokens: 5,
    });
    expect(answer.choices[0]?.message.content).not.toBe("");
    expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(5);
  });

  test("streams a chat answer to its end", async () => {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages,
      max_completion_tokens: 6,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).not.toBe("");
    expect(tokens).toBeGreaterThan(0);
  });

  test("gets a text completion", async () => {
    const answer = await client.completions.create({ model: MODEL, prompt: "Once", max_tokens: 4 });
    expect(answer.choices[0]?.text).not.toBe("");
  });

  test("sees an unknown model as its own not-found error, with our code", async () => {
    const error = await client.chat.completions
      .create({ model: "nobody/has-it", messages })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", type: "pitot_error" });
    expect((error as InstanceType<typeof OpenAI.NotFoundError>).requestID).toMatch(/.+/);
  });

  test("frees the engine when it aborts a stream", async () => {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages,
      max_completion_tokens: 4000,
      stream: true,
    });
    for await (const _chunk of stream) break;
    stream.controller.abort();
    await until(() => fleet.proxy.feed.inFlightCount === 0, "the proxy lets go");
    await until(
      () => fleet.engines.every((engine) => engine.stats().running === 0),
      "every engine lets go",
    );
  });
});
