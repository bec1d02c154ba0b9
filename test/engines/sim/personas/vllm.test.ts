import { describe, expect, test } from "vitest";
import { MODEL } from "../../../harness/fleet.ts";
import { ask, CHAT, chat, said, TEXT, WEATHER, withEngine } from "../../../harness/simulated.ts";

const CONTINUOUS = { include_usage: true, continuous_usage_stats: true };
const frames = (text: string): string[] => text.split("\n\n").filter((frame) => frame !== "");

describe("vLLM", () => {
  test("writes its chat frames key for key", async () => {
    await withEngine("vllm", { fixedIds: true }, async (engine) => {
      const { text } = await ask(
        engine,
        CHAT,
        chat(2, { stream_options: { include_usage: true } }),
      );
      const head =
        /^data: (\{"id":"chatcmpl-[0-9a-f]{32}","object":"chat.completion.chunk","created":1787000000,"model":"[^"]+",)/.exec(
          text,
        )?.[1];
      const [role, first, last, usage, done] = frames(text);
      expect(role).toBe(
        `data: ${head}"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}`,
      );
      expect(first).toMatch(
        /"choices":\[\{"index":0,"delta":\{"content":"[^"]+"\},"logprobs":null,"finish_reason":null,"token_ids":null\}\]\}$/,
      );
      expect(last).toMatch(/"finish_reason":"length","stop_reason":null,"token_ids":null\}\]\}$/);
      expect(usage).toMatch(
        /"choices":\[\],"usage":\{"prompt_tokens":\d+,"total_tokens":\d+,"completion_tokens":2,"prompt_tokens_details":\{"cached_tokens":0\}\},"system_fingerprint":"vllm-[^"]+"\}$/,
      );
      expect(done).toBe("data: [DONE]");
    });
  });

  test("signs the finish frame when no usage follows", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const { text } = await ask(engine, CHAT, chat(2));
      expect(frames(text).at(-2)).toContain('"system_fingerprint":"vllm-');
    });
  });

  test("counts on every frame when asked, the role frame at none", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, chat(3, { stream_options: CONTINUOUS }));
      expect(events.map((event) => event.usage?.completion_tokens)).toEqual([0, 1, 2, 3, 3]);
    });
  });

  test("gives the ids of prompt and tokens when asked", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, chat(5, { return_token_ids: true }));
      expect(events[0]?.prompt_token_ids?.length).toBeGreaterThan(5);
      expect(events.flatMap((event) => event.choices[0]?.token_ids ?? [])).toHaveLength(5);
    });
  });

  test("gathers tokens into frames at the interval asked for, first and last at once", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const one = await ask(engine, CHAT, chat(21));
      const many = await ask(engine, CHAT, chat(21, { stream_interval: 5 }));
      expect(said(many, "content")).toBe(said(one, "content"));
      expect(many.events.length).toBeLessThan(9);
    });
  });

  test("echoes the prompt before the completion", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const body = { model: MODEL, prompt: "Once", max_tokens: 3, ignore_eos: true, echo: true };
      const whole = await ask(engine, TEXT, body);
      const streamed = await ask(engine, TEXT, { ...body, stream: true });
      expect(whole.json?.choices[0]?.text).toMatch(/^Once\S/);
      expect(said(streamed, "text")).toBe(whole.json?.choices[0]?.text);
    });
  });

  test("takes the client's request id into its own", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, chat(1), { "x-request-id": "mine" });
      expect(events[0]?.id).toBe("chatcmpl-mine");
    });
  });

  test("reports its load in a header when asked for ORCA", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const body = chat(2, { stream: false });
      const answer = await ask(engine, CHAT, body, { "endpoint-load-metrics-format": "text" });
      expect(answer.headers.get("endpoint-load-metrics")).toMatch(
        /^TEXT named_metrics.kv_cache_usage_perc=[\d.]+, named_metrics.num_requests_waiting=/,
      );
    });
  });

  test.each([
    [
      "an unknown model",
      { ...chat(1), model: "nobody/has-it" },
      {},
      404,
      { error: { type: "NotFoundError", param: "model", code: 404 } },
    ],
    [
      "stream options without a stream",
      chat(1, { stream: false, stream_options: {} }),
      {},
      400,
      { error: { type: "BadRequestError", code: 400 } },
    ],
    [
      "a body that does not call itself JSON",
      chat(1),
      { "content-type": "text/plain" },
      400,
      { error: { code: 400 } },
    ],
  ])("refuses %s", async (_name, body, headers, status, shape) => {
    await withEngine("vllm", {}, async (engine) => {
      const answer = await ask(engine, CHAT, body, headers);
      expect(answer.status).toBe(status);
      expect(answer.json).toMatchObject(shape);
    });
  });

  test("streams Anthropic's messages in blocks: thinking, text, a tool's input", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const answer = await ask(engine, "/v1/messages", {
        model: MODEL,
        max_tokens: 300,
        stream: true,
        thinking: { type: "enabled", budget_tokens: 1024 },
        tools: [{ name: "get_weather", input_schema: WEATHER.function.parameters }],
        tool_choice: { type: "any" },
        messages: [{ role: "user", content: [{ type: "text", text: "what of the wind" }] }],
      });
      expect(answer.names.at(0)).toBe("message_start");
      expect(answer.names.at(-1)).toBe("message_stop");
      expect(answer.text).toContain('"type":"thinking_delta"');
      const json = [...answer.text.matchAll(/"partial_json":("(?:[^"\\]|\\.)*")/g)]
        .map(([, part]) => JSON.parse(part ?? '""') as string)
        .join("");
      expect(JSON.parse(json)).toHaveProperty("city");
      expect(answer.text).toContain('"stop_reason":"tool_use"');
    });
  });
});
