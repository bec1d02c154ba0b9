import { describe, expect, test } from "vitest";
import { MODEL } from "../../../harness/fleet.ts";
import { ask, TEXT, withEngine } from "../../../harness/simulated.ts";

describe("whole texts", () => {
  test.each(["vllm", "sglang"] as const)(
    "%s embeds equal texts equally, to unit length, and ranks the likest first",
    async (persona) => {
      await withEngine(persona, {}, async (engine) => {
        const { json } = await ask(engine, "/v1/embeddings", {
          model: MODEL,
          input: ["wind", "wind", "sea"],
          dimensions: 64,
        });
        const [first, same, other] = (
          json as unknown as { data: { embedding: number[] }[] }
        ).data.map((one) => one.embedding);
        expect(first).toEqual(same);
        expect(first).not.toEqual(other);
        expect(Math.hypot(...(first ?? []))).toBeCloseTo(1, 4);
        const ranked = await ask(engine, "/v1/rerank", {
          model: MODEL,
          query: "fast wind",
          documents: ["slow sea", "fast wind today"],
        });
        expect(JSON.stringify(ranked.json).indexOf('"index":1')).toBeLessThan(
          JSON.stringify(ranked.json).indexOf('"index":0'),
        );
      });
    },
  );

  test.each([
    ["vllm", "/tokenize", "/detokenize", "prompt"],
    ["sglang", "/tokenize", "/detokenize", "text"],
    ["llama.cpp", "/tokenize", "/detokenize", "content"],
  ] as const)(
    "%s gives a text back from its tokens, as many as a prompt of it counts",
    async (persona, to, from, field) => {
      await withEngine(persona, {}, async (engine) => {
        const text = "naïve façade, 東京 — how fast?\n  indented";
        const { json } = await ask(engine, to, { model: MODEL, prompt: text, content: text });
        const back = await ask(engine, from, { model: MODEL, tokens: json?.tokens });
        expect((back.json as unknown as Record<string, string>)[field]).toBe(text);
        const counted = await ask(engine, TEXT, { model: MODEL, prompt: text, max_tokens: 1 });
        expect(counted.json?.usage?.prompt_tokens).toBe(json?.tokens.length);
      });
    },
  );
});
