import { describe, expect, test } from "vitest";
import type { EngineSetup } from "../../../engines/sim/engine-setup.ts";
import { tokensPerStep } from "../../../engines/sim/speculation.ts";
import { VirtualEngine } from "../../harness/virtual-engine.ts";

const PERSONAS = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"] as const;

describe.each(PERSONAS)("one request alone on %s", (persona) => {
  test("has the same TPOT however long its answer: within 2 % from 32 to 2,048 tokens", () => {
    const at = (output: number): number =>
      new VirtualEngine({ persona }).alone({ input: 256, output }).tpotMs;
    expect(at(2048) / at(32)).toBeGreaterThan(0.99);
    expect(at(2048) / at(32)).toBeLessThan(1.02);
  });

  test("waits for its first token in proportion to a long prompt", () => {
    const at = (input: number): number =>
      new VirtualEngine({ persona }).alone({ input, output: 2 }).ttftMs;
    expect(at(8000) / at(4000)).toBeGreaterThan(1.8);
    expect(at(8000) / at(4000)).toBeLessThan(2.6);
  });

  test("asked again, has its first token sooner: all but the last block of the prompt is known", () => {
    const engine = new VirtualEngine({ persona });
    const ids = engine.prompt(4096);
    const [first, second] = [
      engine.alone({ input: 4096, output: 4 }, ids),
      engine.alone({ input: 4096, output: 4 }, ids),
    ];
    expect(first.cachedTokens).toBe(0);
    expect(second.cachedTokens).toBeGreaterThanOrEqual(4096 - 32);
    expect(second.ttftMs).toBeLessThan(first.ttftMs / 3);
    expect(engine.stats.hitTokens / engine.stats.queryTokens).toBeCloseTo(0.5, 1);
  });
});

describe("with more users", () => {
  const users = [1, 8, 64, 256, 512];
  const curve = users.map((count) => new VirtualEngine().users(count, { input: 256, output: 128 }));
  const throughput = (at: number): number => curve[users.indexOf(at)]!.tokensPerSecond;

  test("throughput first grows nearly with them: eight bring over seven times the tokens of one", () => {
    expect(throughput(8) / throughput(1)).toBeGreaterThan(7);
  });

  test("then saturates: from 256 to 512 it gains under 15 %", () => {
    expect(throughput(512) / throughput(256)).toBeGreaterThan(1);
    expect(throughput(512) / throughput(256)).toBeLessThan(1.15);
  });

  test("an 8B on one H100 levels off near ten thousand tokens a second", () => {
    expect(throughput(512)).toBeGreaterThan(9_000);
    expect(throughput(512)).toBeLessThan(13_000);
  });

  test("each token takes longer: TPOT never falls along the curve", () => {
    const tpot = curve.map((point) => point.tpotMs);
    expect(tpot.toSorted((a, b) => a - b)).toEqual(tpot);
  });
});

test("the first token has a knee in the rate: flat to two thirds of capacity, then many times as long", () => {
  const at = (perSecond: number): number =>
    new VirtualEngine().rate(perSecond, 600, { input: 512, output: 128 }).ttftMs;
  expect(at(40) / at(10)).toBeLessThan(1.25);
  expect(at(80) / at(40)).toBeGreaterThan(4);
});

describe("more context than the cache holds", () => {
  const crowd = (persona: EngineSetup["persona"]): VirtualEngine => {
    const engine = new VirtualEngine({ persona, kvCapacityTokens: 6_000 });
    engine.users(32, { input: 256, output: 400 }, 1);
    return engine;
  };

  test.each(["vllm", "sglang"] as const)(
    "makes %s throw some out and compute them again",
    (persona) => {
      const { stats } = crowd(persona);
      expect(stats.preemptions).toBeGreaterThan(0);
      expect(stats.finished).toBe(64);
      expect(stats.outputTokens).toBe(64 * 400);
    },
  );

  test.each(["tensorrt-llm", "llama.cpp"] as const)(
    "makes %s keep them waiting instead",
    (persona) => {
      const { stats } = crowd(persona);
      expect(stats.preemptions).toBe(0);
      expect(stats.finished).toBe(64);
    },
  );

  test("costs first tokens, not the pace of those inside", () => {
    const [tight, wide] = [6_000, 200_000].map((kvCapacityTokens) =>
      new VirtualEngine({ persona: "tensorrt-llm", kvCapacityTokens }).users(
        32,
        { input: 256, output: 400 },
        2,
      ),
    );
    expect(tight!.ttftMs).toBeGreaterThan(10 * wide!.ttftMs);
    expect(tight!.tpotMs).toBeLessThan(wide!.tpotMs);
  });
});

test("on more cards a token comes sooner, each doubling bringing less than the one before", () => {
  const tpot = [1, 2, 4, 8].map(
    (tp) => new VirtualEngine({ tp }).alone({ input: 256, output: 64 }).tpotMs,
  );
  const gains = tpot.slice(1).map((ms, at) => tpot[at]! / ms);
  expect(gains[0]).toBeGreaterThan(1.4);
  expect(gains[2]).toBeGreaterThan(1.1);
  expect(gains.toSorted((a, b) => b - a)).toEqual(gains);
  expect(tpot[0]! / tpot[3]!).toBeLessThan(4);
});

describe("speculative decoding", () => {
  const speculative = { drafts: 3, acceptance: 0.62 };
  const setup = { persona: "sglang", model: "Qwen3-8B", weights: "fp8" } as const;
  const shape = { input: 256, output: 1024 };

  test("brings several tokens a chunk: chunks come further apart while TPOT falls", () => {
    const plain = new VirtualEngine(setup).alone(shape);
    const drafted = new VirtualEngine({ ...setup, speculative }).alone(shape);
    expect(drafted.chunkMs / plain.chunkMs).toBeGreaterThan(1.5);
    expect(drafted.tpotMs / plain.tpotMs).toBeLessThan(0.95);
    expect(drafted.chunkTokens / tokensPerStep(speculative)).toBeGreaterThan(0.93);
    expect(drafted.chunkTokens / tokensPerStep(speculative)).toBeLessThan(1.07);
  });

  test("counts what was drafted and accepted, and still produces exactly what was asked", () => {
    const engine = new VirtualEngine({ ...setup, speculative });
    engine.users(4, shape, 1);
    const { outputTokens, draftedTokens, acceptedTokens } = engine.stats;
    expect(outputTokens).toBe(8 * 1024);
    expect(draftedTokens).toBeGreaterThan(acceptedTokens);
    // A chain stops at its first wrong draft, so fewer than 62 % of all drafts are accepted.
    const expected = (tokensPerStep(speculative) - 1) / 3;
    expect(acceptedTokens / draftedTokens).toBeCloseTo(expected, 1);
  });

  test("gains less the fuller the batch", () => {
    const gain = (users: number): number =>
      new VirtualEngine(setup).users(users, { input: 64, output: 128 }).tpotMs /
      new VirtualEngine({ ...setup, speculative }).users(users, { input: 64, output: 128 }).tpotMs;
    expect(gain(256)).toBeLessThan(gain(4));
  });

  test("with drafts that are never right is slower than none", () => {
    const useless = new VirtualEngine({ ...setup, speculative: { drafts: 3, acceptance: 0 } });
    expect(useless.alone(shape).tpotMs).toBeGreaterThan(
      new VirtualEngine(setup).alone(shape).tpotMs,
    );
  });
});

describe("a set-up that says otherwise than the engine's defaults", () => {
  const shape = { input: 512, output: 128 };
  const ttft = (setup: Partial<EngineSetup>): number =>
    new VirtualEngine(setup).users(32, shape).ttftMs;
  const tpot = (setup: Partial<EngineSetup>): number =>
    new VirtualEngine(setup).users(32, shape).tpotMs;

  test("of one sequence at a time makes everybody else wait", () => {
    expect(ttft({ sequencesMax: 1 })).toBeGreaterThan(20 * ttft({}));
  });

  test("of few tokens a step spreads prompts over more steps", () => {
    const steps = (stepTokensMax: number): number => {
      const engine = new VirtualEngine({ stepTokensMax });
      engine.alone({ input: 4096, output: 1 });
      return engine.stats.steps;
    };
    expect([512, 2048, 8192].map(steps)).toEqual([8, 2, 1]);
  });

  test("of a slow host stretches every step", () => {
    expect(tpot({ hostFactor: 3 })).toBeGreaterThan(1.1 * tpot({}));
  });

  test("of synchronous scheduling pays the host after each step, as vLLM did before 0.14", () => {
    expect(tpot({ asyncScheduling: false })).toBeGreaterThan(1.05 * tpot({}));
  });

  test("of tuned fp8 kernels computes prompts faster", () => {
    const sglang = { persona: "sglang", weights: "fp8" } as const;
    expect(ttft({ ...sglang, tunedFp8: true })).toBeLessThan(0.95 * ttft(sglang));
  });

  test("without a prefix cache computes a known prompt again", () => {
    const engine = new VirtualEngine({ prefixCache: false });
    const ids = engine.prompt(4096);
    const first = engine.alone({ input: 4096, output: 2 }, ids);
    expect(engine.alone({ input: 4096, output: 2 }, ids)).toEqual(first);
  });

  test("of fp8 keys and values holds twice the context, of a hybrid cache several times", () => {
    const blocks = (setup: Partial<EngineSetup>): number =>
      new VirtualEngine(setup).core.cache.blocks;
    expect(blocks({ kvType: "fp8" }) / blocks({})).toBeCloseTo(2, 2);
    const gemma = { model: "gemma-3-27b-it" };
    expect(blocks(gemma) / blocks({ ...gemma, hybridCache: false })).toBeGreaterThan(3);
  });
});
