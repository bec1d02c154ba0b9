import { describe, expect, test } from "vitest";
import { gpus } from "../../../engines/catalog/gpus.ts";
import { findModel, parameters, WEIGHT_BYTES } from "../../../engines/catalog/models.ts";
import { type ProfileName, profiles } from "../../../engines/sim/profiles.ts";
import { type Machine, type StepLoad, stepTimeMs } from "../../../engines/sim/step-time.ts";

function machine(
  name: string,
  over: Partial<Machine> & { profileName?: ProfileName } = {},
): Machine {
  return {
    model: findModel(name)!,
    weights: "bf16",
    kvType: "bf16",
    gpu: gpus.h100,
    tp: 1,
    expertParallel: false,
    profile: profiles[over.profileName ?? "vllm"],
    ...over,
  };
}

const decode = (batch: number, context = 1000): StepLoad => ({
  decodes: batch,
  decodeTokens: 1,
  decodeContext: batch * context,
  chunks: [],
  firsts: 0,
});

const prefill = (tokens: number, cached = 0): StepLoad => ({
  decodes: 0,
  decodeTokens: 1,
  decodeContext: 0,
  chunks: [{ tokens, cached }],
  firsts: 1,
});

describe("a decode step", () => {
  // Published single-stream figures on one H100: 6.7–7.3 ms (8B bf16), 4.4–4.6 (8B fp8), 17.4 (70B fp8 on two, four at once).
  test.each([
    ["Llama-3.1-8B in bf16", machine("Llama-3.1-8B"), 1, 6.3, 7.4],
    ["Llama-3.1-8B in fp8", machine("Llama-3.1-8B", { weights: "fp8" }), 1, 4.2, 5.0],
    [
      "Llama-3.1-70B in fp8 on two",
      machine("Llama-3.1-70B", { weights: "fp8", tp: 2, profileName: "vllm-sync" }),
      4,
      16.5,
      18.9,
    ],
  ])("of %s takes what was published", (_name, on, batch, low, high) => {
    const ms = stepTimeMs(on, decode(batch));
    expect(ms).toBeGreaterThan(low);
    expect(ms).toBeLessThan(high);
  });

  test.each(["Llama-3.1-8B", "Qwen3-32B", "Qwen3-14B", "Mistral-7B-Instruct-v0.3"])(
    "of %s never beats reading its weights once",
    (name) => {
      const { total } = parameters(findModel(name)!);
      const floorMs = (0.9 * total * WEIGHT_BYTES.bf16 * 1000) / gpus.h100.bandwidth;
      for (const profileName of Object.keys(profiles) as ProfileName[])
        expect(stepTimeMs(machine(name, { profileName }), decode(1))).toBeGreaterThan(floorMs);
    },
  );

  test("grows by the keys and values its sequences have, and by nothing else", () => {
    const on = machine("Llama-3.1-8B");
    const perToken = (stepTimeMs(on, decode(8, 9000)) - stepTimeMs(on, decode(8, 1000))) / 64_000;
    // 131,072 bytes a token at 0.916 of 3.35 TB/s.
    expect(perToken * 1e6).toBeCloseTo((131_072 / (0.916 * 3.35e12)) * 1e9, 1);
  });

  test("is shorter when keys and values are kept in fp8", () => {
    const [bf16, fp8] = [machine("Llama-3.1-8B"), machine("Llama-3.1-8B", { kvType: "fp8" })];
    expect(stepTimeMs(fp8, decode(64, 4000))).toBeLessThan(stepTimeMs(bf16, decode(64, 4000)));
  });

  test("costs a windowed model no more beyond its window than its whole layers need", () => {
    const growth = (name: string): number => {
      const on = machine(name);
      return stepTimeMs(on, decode(1, 64_000)) - stepTimeMs(on, decode(1, 32_000));
    };
    const { layers, kvHeads, headDim, window } = findModel("gemma-3-27b-it")!;
    const wholeLayers = layers * (1 - window!.share);
    const bytes = 32_000 * wholeLayers * kvHeads * headDim * 2 * 2;
    expect(growth("gemma-3-27b-it")).toBeCloseTo((bytes * 1000) / (0.916 * 3.35e12), 2);
  });

  test("on twice the cards is faster, and by less than twice", () => {
    for (const profileName of ["vllm", "sglang", "tensorrt-llm"] as const) {
      const at = (tp: number): number =>
        stepTimeMs(machine("Llama-3.1-8B", { tp, profileName }), decode(16));
      for (const tp of [1, 2, 4]) {
        expect(at(tp) / at(2 * tp)).toBeGreaterThan(1.1);
        expect(at(tp) / at(2 * tp)).toBeLessThan(2);
      }
    }
  });
});

describe("a mixture of experts", () => {
  test("takes longer with each of the first sequences and levels off once every expert is read", () => {
    const { count, active } = findModel("Qwen3-30B-A3B")!.experts!;
    expect(count / active).toBe(16);
    const at = (batch: number): number => stepTimeMs(machine("Qwen3-30B-A3B"), decode(batch, 200));
    expect(at(16) / at(1)).toBeGreaterThan(2.5);
    expect(at(128) / at(64)).toBeLessThan(1.1);
  });

  test("is much faster than a dense model of its size and slower than one of its active size", () => {
    const mixture = stepTimeMs(machine("Qwen3-30B-A3B"), decode(1));
    expect(mixture).toBeLessThan(stepTimeMs(machine("Qwen3-32B"), decode(1)) / 2);
    expect(mixture).toBeGreaterThan(stepTimeMs(machine("Qwen3-4B"), decode(1)));
  });

  test("keeps four-bit experts a third the size: gpt-oss-120b decodes as fast as a dense 8B", () => {
    const on = machine("gpt-oss-120b", { weights: "mxfp4", tp: 2 });
    // Published on two H100 with four users: 5.03 ms.
    expect(stepTimeMs(on, decode(4, 1500))).toBeGreaterThan(4.5);
    expect(stepTimeMs(on, decode(4, 1500))).toBeLessThan(5.5);
  });

  test("pays for handing tokens to whole experts on other cards", () => {
    const on = (expertParallel: boolean): Machine =>
      machine("MiniMax-M2.5", { weights: "fp8", tp: 4, expertParallel });
    expect(stepTimeMs(on(true), decode(8))).toBeGreaterThan(stepTimeMs(on(false), decode(8)));
  });
});

describe("latent attention", () => {
  const deepseek = machine("DeepSeek-V3", { weights: "fp8", tp: 8, gpu: gpus.h200 });

  test("reads less of the context than grouped heads of the same model would", () => {
    const growth = (on: Machine): number =>
      stepTimeMs(on, decode(32, 9000)) - stepTimeMs(on, decode(32, 1000));
    const { latent, ...model } = deepseek.model;
    expect(latent).toBeDefined();
    const grouped = { ...deepseek, model };
    expect(growth(deepseek)).toBeLessThan(growth(grouped) / 2);
  });

  test("is not halved by twice the cards: each holds the whole latent", () => {
    const growth = (tp: number): number => {
      const on = { ...deepseek, tp };
      return stepTimeMs(on, decode(32, 9000)) - stepTimeMs(on, decode(32, 1000));
    };
    expect(growth(4) / growth(8)).toBeCloseTo(1);
  });
});

describe("a prefill step", () => {
  test("takes time in proportion to its tokens once they are many", () => {
    const at = (tokens: number): number =>
      stepTimeMs(machine("Qwen3-32B", { tp: 2 }), prefill(tokens));
    expect(at(8192) / at(4096)).toBeGreaterThan(1.9);
    expect(at(8192) / at(4096)).toBeLessThan(2.3);
  });

  test("costs more the more context its tokens look back on", () => {
    const on = machine("Llama-3.1-8B");
    expect(stepTimeMs(on, prefill(2048, 60_000))).toBeGreaterThan(
      1.5 * stepTimeMs(on, prefill(2048)),
    );
  });

  test("too large for a captured graph is launched kernel by kernel: eight cards gain little over four", () => {
    const at = (tp: number): number =>
      stepTimeMs(
        machine("Llama-3.1-70B", { weights: "fp8", tp, profileName: "vllm-sync" }),
        prefill(1024),
      );
    expect(at(4) / at(8)).toBeLessThan(1.3);
    expect(at(1) / at(2)).toBeGreaterThan(1.5);
  });
});

test("a step of drafts to verify costs more than one of single tokens, and less than as many steps", () => {
  const on = machine("Qwen3-8B", { profileName: "sglang" });
  const verify = stepTimeMs(on, { ...decode(4), decodeTokens: 4 });
  expect(verify).toBeGreaterThan(stepTimeMs(on, decode(4)));
  expect(verify).toBeLessThan(4 * stepTimeMs(on, decode(4)));
});

test("nothing to do takes no time", () => {
  expect(stepTimeMs(machine("Llama-3.1-8B"), { ...decode(0), decodeContext: 0 })).toBe(0);
});
