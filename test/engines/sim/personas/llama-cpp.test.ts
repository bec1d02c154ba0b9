import { describe, expect, test } from "vitest";
import { MODEL } from "../../../harness/fleet.ts";
import { ask, CHAT, chat, withEngine } from "../../../harness/simulated.ts";

const frames = (text: string): string[] => text.split("\n\n").filter((frame) => frame !== "");

describe("llama.cpp", () => {
  test("writes its keys in its own order and its timings on the last frame", async () => {
    await withEngine("llama.cpp", {}, async (engine) => {
      const answer = await ask(engine, CHAT, chat(3));
      expect(frames(answer.text)[0]).toMatch(
        /^data: \{"choices":\[\{"finish_reason":null,"index":0,"delta":\{"role":"assistant","content":null\}\}\],"created":\d+,"id":"chatcmpl-\w+","model":"[^"]+","system_fingerprint":"b\d+-\w+","object":"chat.completion.chunk"\}$/,
      );
      expect(answer.events.at(-1)?.timings).toMatchObject({ predicted_n: 3 });
      expect(answer.headers.get("server")).toBe("llama.cpp");
      expect(answer.headers.get("date")).toBeNull();
    });
  });

  test("times every token when asked", async () => {
    await withEngine("llama.cpp", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, chat(4, { timings_per_token: true }));
      expect(events.filter((event) => event.timings !== undefined).length).toBeGreaterThanOrEqual(
        4,
      );
    });
  });

  test("tells the progress of a long prompt when asked", async () => {
    await withEngine("llama.cpp", {}, async (engine) => {
      const messages = [{ role: "user", content: "word ".repeat(6000) }];
      const { events } = await ask(engine, CHAT, chat(2, { messages, return_progress: true }));
      const processed = events
        .map((event) => event.prompt_progress?.processed ?? 0)
        .filter((one) => one > 0);
      expect(processed.length).toBeGreaterThan(2);
      expect(processed).toEqual(processed.toSorted((a, b) => a - b));
      expect(processed.at(-1)).toBeGreaterThan(6000);
    });
  });

  test("keeps its native route without an end mark", async () => {
    await withEngine("llama.cpp", {}, async (engine) => {
      const answer = await ask(engine, "/completion", {
        prompt: "fly",
        n_predict: 4,
        ignore_eos: true,
        stream: true,
      });
      expect(answer.done).toBe(false);
      expect(answer.events.at(-1)).toMatchObject({
        stop: true,
        tokens_predicted: 4,
        stop_type: "limit",
      });
    });
  });

  test("embeds only when it was started for that", async () => {
    const body = { model: MODEL, input: ["a", "b"] };
    await withEngine("llama.cpp", {}, async (engine) => {
      expect((await ask(engine, "/v1/embeddings", body)).status).toBe(501);
    });
    await withEngine("llama.cpp", { allRoutes: true }, async (engine) => {
      expect((await ask(engine, "/v1/embeddings", body)).status).toBe(200);
    });
  });

  test("pings in silence", async () => {
    await withEngine(
      "llama.cpp",
      { speed: 1, faults: [{ kind: "stall", afterTokens: 1, forSeconds: 1 }] },
      async (engine) => {
        const left = new AbortController();
        const answer = await fetch(engine.url + CHAT, {
          method: "POST",
          body: JSON.stringify(chat(500, { sse_ping_interval: 0.05 })),
          signal: left.signal,
        });
        let text = "";
        for await (const chunk of answer.body!) {
          text += Buffer.from(chunk).toString();
          if (/(^|\n\n):\n\n/.test(text)) break;
        }
        left.abort();
        expect(text).toMatch(/(^|\n\n):\n\n/);
      },
    );
  });
});
