import { describe, expect, test } from "vitest";
import { ask, CHAT, chat, withEngine } from "../../../harness/simulated.ts";

const frames = (text: string): string[] => text.split("\n\n").filter((frame) => frame !== "");

describe("SGLang", () => {
  test("ends a chat with an empty delta of its own, under a bare id", async () => {
    await withEngine("sglang", { fixedIds: true }, async (engine) => {
      const { text } = await ask(engine, CHAT, chat(2));
      const [role, , , finish] = frames(text);
      expect(role).toMatch(
        /^data: \{"id":"[0-9a-f]{32}".*"delta":\{"reasoning_content":null,"role":"assistant","content":""\},"logprobs":null,"finish_reason":null,"matched_stop":null\}\]\}$/,
      );
      expect(finish).toMatch(
        /"delta":\{"reasoning_content":null\},"logprobs":null,"finish_reason":"length","matched_stop":null\}\]\}$/,
      );
    });
  });

  test("leaves cached tokens out until there are some", async () => {
    await withEngine("sglang", {}, async (engine) => {
      const body = chat(2, {
        stream_options: { include_usage: true },
        messages: [{ role: "user", content: "word ".repeat(400) }],
      });
      expect((await ask(engine, CHAT, body)).events.at(-1)?.usage).toMatchObject({
        prompt_tokens_details: null,
      });
      expect((await ask(engine, CHAT, body)).events.at(-1)?.usage).toMatchObject({
        prompt_tokens_details: { cached_tokens: expect.any(Number) as number },
      });
    });
  });

  test("counts on frames even when no usage frame is asked for", async () => {
    await withEngine("sglang", {}, async (engine) => {
      const { events } = await ask(
        engine,
        CHAT,
        chat(2, { stream_options: { continuous_usage_stats: true } }),
      );
      expect(events.filter((event) => event.usage !== undefined).length).toBeGreaterThan(1);
    });
  });

  test("streams all text so far on /generate", async () => {
    await withEngine("sglang", {}, async (engine) => {
      const body = {
        text: "fly",
        sampling_params: { max_new_tokens: 4, ignore_eos: true },
        stream: true,
      };
      const { events } = await ask(engine, "/generate", body);
      const texts = events.map((event) => (event as unknown as { text: string }).text);
      for (const [index, text] of texts.entries())
        expect(text.startsWith(texts[index - 1] ?? "")).toBe(true);
      expect(events.at(-1)).toMatchObject({
        meta_info: { completion_tokens: 4, finish_reason: { type: "length" } },
      });
    });
  });

  test("takes any model name and answers under it", async () => {
    await withEngine("sglang", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, { ...chat(1), model: "whatever" });
      expect(events[0]).toMatchObject({ model: "whatever" });
    });
  });

  test("takes a second and a token for /health, nothing for /ping", async () => {
    await withEngine("sglang", { speed: 10 }, async (engine) => {
      const before = engine.stats().received;
      expect((await ask(engine, "/ping")).status).toBe(200);
      expect(engine.stats().received).toBe(before);
      expect((await ask(engine, "/health")).status).toBe(200);
      expect(engine.stats().received).toBe(before + 1);
    });
  });

  test("flushes its cache only when idle", async () => {
    await withEngine("sglang", { speed: 1 }, async (engine) => {
      const left = new AbortController();
      const busy = fetch(engine.url + CHAT, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(chat(2000)),
        signal: left.signal,
      });
      await busy;
      expect((await ask(engine, "/flush_cache", {})).status).toBe(400);
      left.abort();
    });
    await withEngine("sglang", {}, async (engine) => {
      expect((await ask(engine, "/flush_cache", {})).status).toBe(200);
    });
  });

  test("hides a full queue inside a stream's 200, with usage and an end, and says 503 otherwise", async () => {
    await withEngine("sglang", { faults: [{ kind: "queue-full" }] }, async (engine) => {
      const streamed = await ask(
        engine,
        CHAT,
        chat(5, { stream_options: { include_usage: true } }),
      );
      expect(streamed.status).toBe(200);
      expect(streamed.events[0]?.error).toMatchObject({ type: "SERVICE_UNAVAILABLE", code: 503 });
      expect(streamed.events.at(-1)?.usage?.completion_tokens).toBe(0);
      expect(streamed.done).toBe(true);
      const whole = await ask(engine, CHAT, chat(5, { stream: false }));
      expect(whole.status).toBe(503);
      expect(whole.json).toMatchObject({ object: "error", type: "503" });
    });
  });
});
