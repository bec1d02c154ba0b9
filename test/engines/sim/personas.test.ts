import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SimulatedEngine, startSimulatedEngine } from "../../../engines/sim/server.ts";
import { MODEL } from "../../harness/fleet.ts";
import {
  ask,
  called,
  CHAT,
  chat,
  finishOf,
  PERSONAS,
  said,
  TEXT,
  WEATHER,
} from "../../harness/simulated.ts";

const USAGE = { stream_options: { include_usage: true } };
const REASONING = {
  vllm: "reasoning",
  sglang: "reasoning_content",
  "tensorrt-llm": "reasoning_content",
  "llama.cpp": "reasoning_content",
} as const;

describe.each(PERSONAS)("%s", (persona) => {
  let engine: SimulatedEngine;
  beforeAll(async () => {
    engine = await startSimulatedEngine({ persona, model: MODEL, speed: 100, jitter: 0 });
  });
  afterAll(() => engine.close());

  test("streams exactly what was asked for and counts it", async () => {
    const answer = await ask(engine, CHAT, chat(40, USAGE));
    expect(answer.done).toBe(true);
    expect(finishOf(answer)).toBe("length");
    expect(answer.events.at(-1)?.usage).toMatchObject({ completion_tokens: 40 });
    expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  });

  test("says the same streamed and whole", async () => {
    const streamed = await ask(engine, CHAT, chat(60));
    const whole = await ask(engine, CHAT, chat(60, { stream: false }));
    expect(whole.json?.choices[0]?.message?.content).toBe(said(streamed, "content"));
    expect(whole.json?.usage?.completion_tokens).toBe(60);
  });

  test("tells usage only when asked", async () => {
    const { events } = await ask(engine, CHAT, chat(3));
    expect(events.filter((event) => event.usage?.completion_tokens !== undefined)).toEqual([]);
  });

  test("calls a required tool with arguments its schema takes, in pieces", async () => {
    const answer = await ask(engine, CHAT, {
      ...chat(200, { tools: [WEATHER], tool_choice: "required" }),
      ignore_eos: false,
    });
    const { name, arguments: text } = called(answer);
    expect(name).toBe("get_weather");
    expect(JSON.parse(text)).toMatchObject({
      city: expect.any(String) as string,
      unit: expect.stringMatching(/celsius|fahrenheit/) as string,
    });
    expect(finishOf(answer)).toBe("tool_calls");
    expect(said(answer, "content")).toBe("");
    expect(answer.events.length).toBeGreaterThan(5);
  });

  test("cuts a tool call at the length bound and says so", async () => {
    const answer = await ask(engine, CHAT, chat(4, { tools: [WEATHER], tool_choice: "required" }));
    expect(finishOf(answer)).toBe("length");
    expect(() => {
      JSON.parse(called(answer).arguments);
    }).toThrow(/JSON/);
  });

  test("answers in words when a tool is offered and not named", async () => {
    const answer = await ask(engine, CHAT, chat(5, { tools: [WEATHER], tool_choice: "auto" }));
    expect(called(answer).name).toBe("");
    expect(said(answer, "content")).not.toBe("");
  });

  test("thinks aloud on its own field, then answers", async () => {
    const answer = await ask(engine, CHAT, chat(50, { reasoning_effort: "low" }));
    const field = REASONING[persona];
    expect(said(answer, field)).not.toBe("");
    expect(said(answer, "content")).not.toBe("");
    const first = answer.events.findIndex(
      (event) => (event.choices[0]?.delta?.content ?? "") !== "",
    );
    const later = answer.events.slice(first).filter((event) => event.choices[0]?.delta?.[field]);
    expect(later).toEqual([]);
  });

  test("gives n choices, each with its own words and end", async () => {
    const answer = await ask(engine, CHAT, chat(12, { n: 3, ...USAGE }));
    const texts = [0, 1, 2].map((choice) => said(answer, "content", choice));
    expect(new Set(texts).size).toBe(3);
    expect([0, 1, 2].map((choice) => finishOf(answer, choice))).toEqual(Array(3).fill("length"));
    // llama.cpp tells the usage of each by itself (recorded with b11434).
    const counted = persona === "llama.cpp" ? 12 : 36;
    expect(answer.events.at(-1)?.usage?.completion_tokens).toBe(counted);
  });

  test("shows log-probabilities of each token when asked", async () => {
    const whole = await ask(
      engine,
      CHAT,
      chat(6, { logprobs: true, top_logprobs: 2, stream: false }),
    );
    const content = whole.json?.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(6);
    expect(content.map(({ token }) => token).join("")).toBe(
      whole.json?.choices[0]?.message?.content,
    );
    expect(content[0]).toMatchObject({
      logprob: expect.any(Number) as number,
      bytes: expect.any(Array) as number[],
      top_logprobs: [{}, {}],
    });
  });

  test("ends before a stop string, holding back what might become one", async () => {
    const text = said(await ask(engine, CHAT, chat(40)), "content");
    const stop = text.split(" ").slice(5, 7).join(" ");
    const answer = await ask(engine, CHAT, chat(40, { stop: [stop], ...USAGE }));
    expect(said(answer, "content")).toBe(text.slice(0, text.indexOf(stop)));
    expect(finishOf(answer)).toBe("stop");
    expect(answer.events.at(-1)?.usage?.completion_tokens).toBeLessThan(10);
  });

  test("answers an empty question with nothing, and ends by itself", async () => {
    const answer = await ask(engine, CHAT, {
      model: MODEL,
      messages: [{ role: "user", content: "" }],
      stream: true,
      ...USAGE,
    });
    expect(said(answer, "content")).toBe("");
    expect(finishOf(answer)).toBe("stop");
    expect(answer.events.at(-1)?.usage?.completion_tokens).toBe(1);
  });

  test("writes JSON of the schema asked for", async () => {
    const schema = { type: "object", properties: { knots: { type: "integer" } } };
    const format = { type: "json_schema", json_schema: { name: "speed", schema } };
    const answer = await ask(engine, CHAT, {
      ...chat(200, { response_format: format }),
      ignore_eos: false,
    });
    expect(JSON.parse(said(answer, "content"))).toEqual({ knots: expect.any(Number) as number });
  });

  test("takes token ids for a prompt and counts exactly them", async () => {
    const prompt = Array.from({ length: 77 }, (_, index) => index + 1);
    const answer = await ask(engine, TEXT, {
      model: MODEL,
      prompt,
      max_tokens: 3,
      ignore_eos: true,
    });
    expect(answer.json?.usage).toMatchObject({ prompt_tokens: 77, completion_tokens: 3 });
  });

  test("completes sixteen tokens when nobody says how many", async () => {
    const answer = await ask(engine, TEXT, { model: MODEL, prompt: "Once upon" });
    expect(answer.json?.usage?.completion_tokens).toBeLessThanOrEqual(16);
  });

  test("answers each of several prompts", async () => {
    const body = { model: MODEL, prompt: ["one", "two words"], max_tokens: 4, ignore_eos: true };
    const answer = await ask(engine, TEXT, body);
    expect(answer.json?.choices.map(({ index }) => index)).toEqual([0, 1]);
    expect(answer.json?.usage).toMatchObject(
      persona === "llama.cpp"
        ? { prompt_tokens: 1, completion_tokens: 4 }
        : { prompt_tokens: 3, completion_tokens: 8 },
    );
  });

  test("sends characters whole, never half of one", async () => {
    const answer = await ask(engine, CHAT, chat(1500));
    expect(said(answer, "content")).toMatch(/[🛩𝛥🌬🧭]/u);
    expect(answer.text).not.toContain("�");
    const frames = answer.events.filter((event) => (event.choices[0]?.delta?.content ?? "") !== "");
    expect(frames.length).toBeLessThan(1500);
  });

  test("streams the Responses API to its completion, without [DONE]", async () => {
    const body = {
      model: MODEL,
      input: "fly",
      max_output_tokens: 6,
      ignore_eos: true,
      stream: true,
    };
    const answer = await ask(engine, "/v1/responses", body);
    expect(answer.names.at(0)).toBe("response.created");
    expect(answer.names.at(-1)).toBe("response.completed");
    expect(
      answer.names.filter((name) => name === "response.output_text.delta").length,
    ).toBeGreaterThan(3);
    expect(answer.done).toBe(false);
    expect(answer.events.at(-1)).toMatchObject({
      response: { status: "incomplete", usage: { output_tokens: 6 } },
    });
  });

  test("refuses a prompt longer than its context with a 400", async () => {
    const prompt = Array.from({ length: 131_072 }, (_, index) => index);
    const answer = await ask(engine, TEXT, { model: MODEL, prompt, max_tokens: 1 });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("131072");
  });

  test.each([
    ["a broken body", "{", 400],
    ["no messages", { model: MODEL, messages: [] }, 400],
    ["a message without role", { model: MODEL, messages: [{}] }, 400],
    ["zero tokens", chat(0), 400],
    ["too many choices", chat(1, { n: 1000 }), 400],
    [
      "a tool nobody offered",
      chat(5, { tools: [WEATHER], tool_choice: { type: "function", function: { name: "x" } } }),
      400,
    ],
  ])("refuses %s in its own shape", async (_name, body, status) => {
    const answer = await ask(engine, CHAT, body);
    expect(answer.status).toBe(status);
    expect(answer.json).not.toBeNull();
  });

  test("knows neither other routes nor other methods", async () => {
    expect((await ask(engine, "/v1/nothing")).status).toBe(404);
    expect((await ask(engine, CHAT)).status).toBe(405);
  });
});
