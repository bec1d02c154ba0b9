import { describe, expect, test } from "vitest";
import { MODEL } from "../../../harness/fleet.ts";
import { ask, CHAT, chat, said, TEXT, withEngine } from "../../../harness/simulated.ts";

const frames = (text: string): string[] => text.split("\n\n").filter((frame) => frame !== "");

describe("TensorRT-LLM", () => {
  test("puts a blank after the first frame, and no nulls into chat frames", async () => {
    await withEngine("tensorrt-llm", {}, async (engine) => {
      const { text } = await ask(engine, CHAT, chat(2));
      expect(frames(text)[0]).toMatch(/"delta":\{"role":"assistant"\}\}\]\} $/);
      expect(text).not.toContain("null");
    });
  });

  test("refuses a field it does not know, with a string under error", async () => {
    await withEngine("tensorrt-llm", {}, async (engine) => {
      const answer = await ask(engine, CHAT, chat(1, { cache_prompt: false }));
      expect(answer.status).toBe(400);
      expect(answer.json?.error).toContain("extra_forbidden");
    });
  });

  test("takes empty stream options for a wish for usage", async () => {
    await withEngine("tensorrt-llm", {}, async (engine) => {
      const { events } = await ask(engine, CHAT, chat(2, { stream_options: {} }));
      expect(events.at(-1)?.usage?.completion_tokens).toBe(2);
    });
  });

  test("sends ids instead of text without detokenizing", async () => {
    await withEngine("tensorrt-llm", {}, async (engine) => {
      const body = {
        model: MODEL,
        prompt: [1, 2],
        max_tokens: 5,
        ignore_eos: true,
        stream: true,
        detokenize: false,
      };
      const answer = await ask(engine, TEXT, body);
      expect(said(answer, "text")).toBe("");
      expect(answer.events.flatMap((event) => event.choices[0]?.token_ids ?? [])).toHaveLength(5);
    });
  });

  test("gives its iterations once: whoever reads takes them", async () => {
    await withEngine("tensorrt-llm", {}, async (engine) => {
      await ask(engine, CHAT, chat(6));
      const read = async (): Promise<unknown[]> =>
        JSON.parse((await ask(engine, "/metrics")).text) as unknown[];
      expect((await read()).length).toBeGreaterThanOrEqual(6);
      expect(await read()).toEqual([]);
    });
  });

  test("cuts a chat whose stream fails, with neither error nor end", async () => {
    await withEngine(
      "tensorrt-llm",
      { faults: [{ kind: "error-event", afterTokens: 2 }] },
      async (engine) => {
        await expect(ask(engine, CHAT, chat(9))).rejects.toThrow(/terminated|failed/);
        const completion = await ask(engine, TEXT, {
          model: MODEL,
          prompt: "a",
          max_tokens: 9,
          ignore_eos: true,
          stream: true,
        });
        expect(completion.text.match(/\[DONE\]/g)).toHaveLength(2);
      },
    );
  });
});
