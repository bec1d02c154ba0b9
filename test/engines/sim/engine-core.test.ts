import { describe, expect, test } from "vitest";
import { findModel } from "../../../engines/catalog/models.ts";
import { gpus } from "../../../engines/catalog/gpus.ts";
import type { EngineCore } from "../../../engines/sim/engine-core.ts";
import { buildCore, type EngineSetup, SetupError } from "../../../engines/sim/engine-setup.ts";
import { type Persona, profiles } from "../../../engines/sim/profiles.ts";
import { stepTimeMs } from "../../../engines/sim/step-time.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { readTrace, traces } from "../../../load/trace.ts";

const MODEL = "Llama-3.1-8B";
const PERSONAS: readonly Persona[] = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"];

interface Run {
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly cachedTokens: number;
}

function engine(setup: Partial<EngineSetup> = {}): { clock: VirtualClock; core: EngineCore } {
  const clock = new VirtualClock();
  return { clock, core: buildCore({ persona: "vllm", model: MODEL, jitter: 0, ...setup }, clock) };
}

/** Puts one request in; its figures are there once the clock has run on. */
function ask(
  clock: VirtualClock,
  core: EngineCore,
  { ids, output }: { ids: readonly number[]; output: number },
): () => Run | null {
  const startMs = clock.nowMs();
  let firstMs = 0;
  let run: Run | null = null;
  const submitted = core.submit(
    { id: "x", promptIds: ids, outputTokens: output, outputTokensMax: output, apiMs: 0 },
    {
      tokens: (_count, total, atMs) => {
        if (total === 1) firstMs = atMs;
      },
      finished: (atMs) => {
        run = {
          ttftMs: firstMs - startMs,
          tpotMs: (atMs - firstMs) / Math.max(1, output - 1),
          cachedTokens: submitted.cachedTokens(),
        };
      },
      failed: () => {},
    },
  );
  return () => run;
}

const ids = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, index) => from * 100_000 + index);

/** So many at once, each with its own prompt; the mean figures of all. */
function crowd(
  setup: Partial<EngineSetup>,
  count: number,
  shape: { input: number; output: number },
): { ttftMs: number; tpotMs: number; tokensPerSecond: number; preemptions: number } {
  const { clock, core } = engine(setup);
  const runs = Array.from({ length: count }, (_, index) =>
    ask(clock, core, { ids: ids(shape.input, index), output: shape.output }),
  );
  while (clock.step());
  const done = runs.map((run) => run()!);
  const mean = (of: (run: Run) => number): number =>
    done.reduce((sum, run) => sum + of(run), 0) / count;
  return {
    ttftMs: mean((run) => run.ttftMs),
    tpotMs: mean((run) => run.tpotMs),
    tokensPerSecond: (count * shape.output) / (clock.nowMs() / 1000),
    preemptions: core.stats().preemptions,
  };
}

describe("the step-time model", () => {
  const step = (
    name: string,
    persona: Persona,
    {
      tp = 1,
      weights = "bf16",
      batch = 1,
      context = 1500,
    }: { tp?: number; weights?: "bf16" | "fp8"; batch?: number; context?: number } = {},
  ): number =>
    stepTimeMs(
      {
        model: findModel(name)!,
        weights,
        gpu: gpus.h100,
        tp,
        kvType: "bf16",
        expertParallel: false,
        profile: profiles[persona],
      },
      { decodes: batch, decodeTokens: 1, decodeContext: batch * context, chunks: [], firsts: 0 },
    );

  // Published single-stream decode times on one H100: 6.7–7.3 ms (8B bf16), 4.4–4.6 (8B fp8), 17.4 (70B fp8 on two, four at once).
  test.each([
    ["Llama-3.1-8B in bf16", step(MODEL, "vllm"), 6.3, 7.4],
    ["Llama-3.1-8B in fp8", step(MODEL, "vllm", { weights: "fp8" }), 4.2, 4.9],
    [
      "Llama-3.3-70B in fp8 on two",
      step("Llama-3.3-70B", "vllm", { tp: 2, weights: "fp8", batch: 4 }),
      16.5,
      18.9,
    ],
  ])("puts a token of %s within the published range", (_name, ms, low, high) => {
    expect(ms).toBeGreaterThan(low);
    expect(ms).toBeLessThan(high);
  });

  test("never beats the time it takes to read the weights once", () => {
    expect(step(MODEL, "vllm")).toBeGreaterThan((16.06e9 / 3.35e12) * 1000);
  });

  test("makes a mixture's step climb with the first few sequences and then level off", () => {
    const at = (batch: number): number => step("Qwen3-30B-A3B", "vllm", { batch, context: 200 });
    expect(at(16) / at(1)).toBeGreaterThan(2);
    expect(at(128) / at(64)).toBeLessThan(1.3);
  });
});

describe.each(PERSONAS)("%s", (persona) => {
  test("produces exactly what was asked, and gives every block back", () => {
    const { clock, core } = engine({ persona });
    const run = ask(clock, core, { ids: ids(300), output: 20 });
    while (clock.step());
    expect(run()).not.toBeNull();
    expect(core.stats()).toMatchObject({
      running: 0,
      waiting: 0,
      finished: 1,
      outputTokens: 20,
      promptTokens: 300,
    });
    expect(core.cache.usage).toBeCloseTo(0);
  });

  test("stops working for a request that is aborted", () => {
    const { clock, core } = engine({ persona });
    const submitted = core.submit(
      { id: "x", promptIds: ids(100), outputTokens: 500, outputTokensMax: 500, apiMs: 0 },
      { tokens: () => {}, finished: () => {}, failed: () => {} },
    );
    clock.advance(200);
    expect(core.stats().running).toBe(1);
    submitted.abort();
    submitted.abort();
    while (clock.step());
    expect(core.stats()).toMatchObject({ running: 0, aborted: 1, finished: 0 });
    expect(core.cache.usage).toBeCloseTo(0);
  });

  test("gives the same hour for the same seed and another for another", () => {
    const hour = (seed: number): string => {
      const { clock, core } = engine({ persona, seed, jitter: 0.02 });
      for (let index = 0; index < 20; index++)
        ask(clock, core, { ids: ids(200, index), output: 30 });
      while (clock.step());
      return JSON.stringify([clock.nowMs(), core.stats()]);
    };
    expect(hour(1)).toBe(hour(1));
    expect(hour(1)).not.toBe(hour(2));
  });
});

describe("simulated curves", () => {
  test("throughput saturates: four times the users bring well under four times the tokens", () => {
    const [few, many] = [
      crowd({}, 64, { input: 256, output: 128 }),
      crowd({}, 256, { input: 256, output: 128 }),
    ];
    expect(many.tokensPerSecond).toBeGreaterThan(few.tokensPerSecond);
    expect(many.tokensPerSecond / few.tokensPerSecond).toBeLessThan(2.5);
  });

  test("the first token waits for the queue: sixteen long prompts at once take several times as long as one", () => {
    const [alone, together] = [
      crowd({}, 1, { input: 4096, output: 8 }),
      crowd({}, 16, { input: 4096, output: 8 }),
    ];
    expect(together.ttftMs / alone.ttftMs).toBeGreaterThan(4);
  });

  test("a full cache preempts on vLLM and never on TensorRT-LLM", () => {
    const tight = { kvCapacityTokens: 6_000 };
    expect(
      crowd({ persona: "vllm", ...tight }, 16, { input: 256, output: 400 }).preemptions,
    ).toBeGreaterThan(0);
    expect(
      crowd({ persona: "tensorrt-llm", ...tight }, 16, { input: 256, output: 400 }).preemptions,
    ).toBe(0);
  });

  test("a known beginning is not computed again: the second asker's first token comes sooner", () => {
    const { clock, core } = engine();
    const first = ask(clock, core, { ids: ids(4096), output: 4 });
    while (clock.step());
    const second = ask(clock, core, { ids: ids(4096), output: 4 });
    while (clock.step());
    expect(second()!.cachedTokens).toBeGreaterThan(4000);
    expect(second()!.ttftMs).toBeLessThan(first()!.ttftMs / 2);
  });
});

test("an hour of recorded conversation runs in virtual time without losing a request", async () => {
  const rows = await readTrace(traces["azure-conversation"]);
  const { clock, core } = engine();
  for (const [index, row] of rows.entries()) {
    clock.schedule(row.atMs, () => {
      core.submit(
        {
          id: String(index),
          promptIds: ids(row.inputTokens, index),
          outputTokens: row.outputTokens,
          outputTokensMax: row.outputTokens,
          apiMs: 0,
        },
        { tokens: () => {}, finished: () => {}, failed: () => {} },
      );
    });
  }
  while (clock.step());
  expect(core.stats().finished).toBe(rows.length);
  expect(core.stats().outputTokens).toBe(rows.reduce((sum, row) => sum + row.outputTokens, 0));
}, 60_000);

test.each([
  [{ model: "nobody/has-it" }, "not in the catalogue"],
  [{ gpu: "abacus" }, "not in the catalogue"],
  [{ tp: 3 }, "not supported"],
  [{ model: "Llama-3.3-70B" }, "does not fit"],
])("a set-up with %o is refused in a sentence", (setup, sentence) => {
  expect(() => engine(setup)).toThrow(SetupError);
  expect(() => engine(setup)).toThrow(sentence);
});
