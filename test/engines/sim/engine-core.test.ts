import { describe, expect, test } from "vitest";
import { type EngineSetup, SetupError } from "../../../engines/sim/engine-setup.ts";
import type { Persona } from "../../../engines/sim/profiles.ts";
import { readTrace, traces } from "../../../load/trace.ts";
import { VirtualEngine } from "../../harness/virtual-engine.ts";

const PERSONAS: readonly Persona[] = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"];
const silent = { tokens: () => {}, finished: () => {}, failed: () => {} };

describe.each(PERSONAS)("%s", (persona) => {
  test("produces exactly what was asked, and gives every block back", () => {
    const engine = new VirtualEngine({ persona });
    engine.alone({ input: 300, output: 20 });
    expect(engine.stats).toMatchObject({
      running: 0,
      waiting: 0,
      finished: 1,
      outputTokens: 20,
      promptTokens: 300,
    });
    expect(engine.core.cache.usage).toBeCloseTo(0);
  });

  test("tells when a request left the queue, how far its prompt is, and each token after that", () => {
    const { clock, core } = new VirtualEngine({ persona });
    const events: string[] = [];
    const promptIds = { length: 9000 };
    core.submit(
      { id: "x", promptIds, outputTokens: 2, outputTokensMax: 2, apiMs: 0 },
      {
        scheduled: () => events.push("scheduled"),
        prefilled: (computed) => events.push(`prefilled ${computed}`),
        tokens: (count, total) => events.push(`token ${count} of ${total}`),
        finished: () => events.push("finished"),
        failed: () => events.push("failed"),
      },
    );
    while (clock.step());
    expect(events[0]).toBe("scheduled");
    expect(events.slice(-4)).toEqual([
      "prefilled 9000",
      "token 1 of 1",
      "token 1 of 2",
      "finished",
    ]);
  });

  test("stops working for a request that is aborted, twice if need be", () => {
    const { clock, core } = new VirtualEngine({ persona });
    const submitted = core.submit(
      { id: "x", promptIds: { length: 100 }, outputTokens: 500, outputTokensMax: 500, apiMs: 0 },
      silent,
    );
    clock.advance(200);
    expect(core.stats().running).toBe(1);
    submitted.abort();
    submitted.abort();
    while (clock.step());
    expect(core.stats()).toMatchObject({ running: 0, aborted: 1, finished: 0 });
    expect(core.cache.usage).toBeCloseTo(0);
  });

  test("fails a request that could never end, and serves the one behind it", () => {
    const engine = new VirtualEngine({ persona, kvCapacityTokens: 4_000 });
    const failures: string[] = [];
    engine.core.submit(
      { id: "x", promptIds: { length: 3_900 }, outputTokens: 500, outputTokensMax: 500, apiMs: 0 },
      { ...silent, failed: (reason) => failures.push(reason) },
    );
    engine.alone({ input: 500, output: 10 });
    expect(failures).toEqual([expect.stringContaining("longer than the engine's")]);
    expect(engine.stats).toMatchObject({ finished: 1, running: 0, waiting: 0 });
  });

  test("serves requests whose allowed output is far beyond the cache", () => {
    const { clock, core } = new VirtualEngine({ persona, kvCapacityTokens: 4_000 });
    for (let index = 0; index < 3; index++) {
      core.submit(
        { id: "x", promptIds: { length: 50 }, outputTokens: 5, outputTokensMax: 1e6, apiMs: 0 },
        silent,
      );
    }
    while (clock.step());
    expect(core.stats().finished).toBe(3);
  });

  test("gives the same tokens at the same times and the same metrics for the same seed, others for another", () => {
    const hour = (seed: number, setup: Partial<EngineSetup> = {}): string => {
      const { clock, core } = new VirtualEngine({ persona, seed, jitter: 0.02, ...setup });
      const log: (number | string)[] = [];
      for (let index = 0; index < 60; index++) {
        clock.schedule(index * 37, () => {
          const promptIds = Array.from({ length: 200 + index }, (_, at) => (index % 7) * 1e6 + at);
          core.submit(
            { id: "x", promptIds, outputTokens: 30, outputTokensMax: 40, apiMs: 3 },
            {
              tokens: (count, total, atMs) => log.push(index, count, total, atMs),
              finished: (atMs) => log.push("end", index, atMs),
              failed: () => log.push("failed", index),
            },
          );
        });
      }
      while (clock.step()) if (log.length % 50 === 0) log.push(JSON.stringify(core.stats()));
      return JSON.stringify([clock.nowMs(), core.stats(), log]);
    };
    const tight = { kvCapacityTokens: 3_000, speculative: { drafts: 2, acceptance: 0.5 } };
    expect(hour(1)).toBe(hour(1));
    expect(hour(1, tight)).toBe(hour(1, tight));
    expect(hour(1)).not.toBe(hour(2));
    expect(hour(1, tight)).not.toBe(hour(2, tight));
  });
});

test("step times scatter by the jitter asked for, and now and then a step stalls", () => {
  const engine = new VirtualEngine({ jitter: 0.02, seed: 7 });
  const durations: number[] = [];
  engine.core.onStep = ({ durationMs }) => durations.push(durationMs);
  engine.alone({ input: 16, output: 20_000 });
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)]!;
  expect(at(0.84) / at(0.16)).toBeGreaterThan(1.03);
  expect(at(0.84) / at(0.16)).toBeLessThan(1.2);
  const stalls = durations.filter((ms) => ms > at(0.5) + 15).length;
  expect(stalls).toBeGreaterThan(0);
  expect(stalls / durations.length).toBeLessThan(1 / 1000);
});

test("time runs as many times faster as asked", () => {
  const at = (speed: number): number =>
    new VirtualEngine({ speed }).alone({ input: 64, output: 64 }).tpotMs;
  expect(at(1) / at(10)).toBeCloseTo(10);
});

test("an hour of recorded conversation runs in virtual time without losing a request", async () => {
  const rows = await readTrace(traces["azure-conversation"]);
  const { clock, core } = new VirtualEngine();
  for (const [index, row] of rows.entries()) {
    clock.schedule(row.atMs, () => {
      const promptIds = Float64Array.from({ length: row.inputTokens }, (_, at) => index * 1e5 + at);
      const { outputTokens } = row;
      core.submit(
        { id: String(index), promptIds, outputTokens, outputTokensMax: outputTokens, apiMs: 0 },
        silent,
      );
    });
  }
  while (clock.step());
  expect(core.stats().finished).toBe(rows.length);
  expect(core.stats().outputTokens).toBe(rows.reduce((sum, row) => sum + row.outputTokens, 0));
}, 60_000);

describe("a set-up is refused in a sentence", () => {
  test.each([
    ["with a model nobody knows", { model: "nobody/has-it" }, "not in the catalogue"],
    ["with a card nobody knows", { gpu: "abacus" }, "abacus"],
    ["on three cards", { tp: 3 }, "not supported"],
    ["with noise below none", { jitter: -1 }, "jitter is -1"],
    ["with no seats", { sequencesMax: 0 }, "sequencesMax is 0"],
    ["with steps of no tokens", { stepTokensMax: Number.NaN }, "stepTokensMax is NaN"],
    ["with a host of no speed", { hostFactor: 0 }, "hostFactor is 0"],
    [
      "with drafts right more often than always",
      { speculative: { drafts: 3, acceptance: 1.2 } },
      "speculative.acceptance is 1.2",
    ],
    [
      "with nothing drafted",
      { speculative: { drafts: 0, acceptance: 0.5 } },
      "speculative.drafts is 0",
    ],
    ["when the weights do not fit", { model: "Llama-3.3-70B" }, "does not fit on 1 × H100"],
    [
      "when they fit and nothing else does",
      { model: "Llama-3.1-405B", tp: 8 },
      "does not fit on 8",
    ],
    [
      "when the cache cannot hold the context asked for",
      { model: "Qwen3-32B", contextTokens: 40_960 },
      "with 40960 tokens of context",
    ],
  ] as const)("%s", (_what, setup, sentence) => {
    expect(() => new VirtualEngine(setup)).toThrow(SetupError);
    expect(() => new VirtualEngine(setup)).toThrow(sentence);
  });

  test("and taken with the context the cache can hold when none is asked for", () => {
    const { core } = new VirtualEngine({ model: "Qwen3-32B" });
    expect(core.options.contextTokens).toBeLessThan(40_960);
    expect(core.options.contextTokens).toBeGreaterThan(25_000);
    expect(new VirtualEngine({ model: "Qwen3-32B", tp: 2 }).core.options.contextTokens).toBe(
      40_960,
    );
  });
});

// Tokens of KV cache as the engines print them at start, or as worked out from published shapes.
test.each([
  ["Llama-3.1-8B", "bf16", 1, 420_000, 475_000],
  ["Llama-3.1-70B", "fp8", 2, 220_000, 260_000],
  ["Qwen3-32B", "bf16", 2, 300_000, 345_000],
  ["gpt-oss-120b", "mxfp4", 1, 110_000, 320_000],
] as const)("%s in %s on %d has a cache of the published size", (model, weights, tp, low, high) => {
  const { blocks, blockTokens } = new VirtualEngine({ model, weights, tp }).core.cache;
  expect(blocks * blockTokens).toBeGreaterThan(low);
  expect(blocks * blockTokens).toBeLessThan(high);
});
