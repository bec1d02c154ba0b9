import { describe, expect, test } from "vitest";
import { readExposition } from "../../../engines/exposition.ts";
import { ask, CHAT, chat, PERSONAS, said, withEngine } from "../../harness/simulated.ts";

const DRAFTING = { speculative: { drafts: 4, acceptance: 0.7 } };
const PAGE = {
  vllm: ["/metrics", "vllm:spec_decode_num_accepted_tokens_total"],
  sglang: ["/metrics", "sglang:spec_accept_length"],
  "tensorrt-llm": ["/prometheus/metrics", "trtllm_spec_decode_acceptance_length"],
  "llama.cpp": ["/metrics", "llamacpp:spec_decode_num_accepted_tokens_total"],
} as const;

describe.each(PERSONAS)("%s with a draft model", (persona) => {
  test("says the same words as without, in bursts, and counts them right", async () => {
    let plain = "";
    await withEngine(persona, { fixedIds: true }, async (engine) => {
      plain = said(await ask(engine, CHAT, chat(200)), "content");
    });
    await withEngine(persona, { fixedIds: true, ...DRAFTING }, async (engine) => {
      const answer = await ask(
        engine,
        CHAT,
        chat(200, { stream_options: { include_usage: true } }),
      );
      expect(said(answer, "content")).toBe(plain);
      expect(answer.events.at(-1)?.usage?.completion_tokens).toBe(200);
      // One frame a step where the engine merges a step's tokens; llama.cpp writes each.
      const outputs = answer.events.filter((event) => event.choices[0]?.delta?.content).length;
      expect(outputs > 150).toBe(persona === "llama.cpp");
    });
  });

  test("tells how many drafts it took", async () => {
    await withEngine(persona, DRAFTING, async (engine) => {
      await ask(engine, CHAT, chat(300));
      const [path, name] = PAGE[persona];
      const sample = readExposition((await ask(engine, path)).text).find(
        (one) => one.name === name,
      );
      expect(sample?.value).toBeGreaterThan(1);
    });
  });
});

test("llama.cpp's timings and TensorRT-LLM's last frame tell the drafts of one answer", async () => {
  await withEngine("llama.cpp", DRAFTING, async (engine) => {
    const { events } = await ask(engine, CHAT, chat(100));
    const timings = events.at(-1)?.timings as unknown as {
      draft_n: number;
      draft_n_accepted: number;
    };
    expect(timings.draft_n_accepted).toBeGreaterThan(20);
    expect(timings.draft_n_accepted).toBeLessThan(timings.draft_n);
  });
  await withEngine("tensorrt-llm", DRAFTING, async (engine) => {
    const { text } = await ask(engine, CHAT, chat(100));
    expect(Number(/"avg_decoded_tokens_per_iter":([\d.]+)/.exec(text)?.[1])).toBeGreaterThan(1.5);
  });
});
