import { describe, expect, test } from "vitest";
import { findGpu, gpus, hasFp8 } from "../../../engines/catalog/gpus.ts";
import {
  findModel,
  models,
  parameters,
  unknownModel,
  weightBytes,
} from "../../../engines/catalog/models.ts";
import { nearest } from "../../../engines/catalog/nearest.ts";
import published from "../../fixtures/published-parameters.json" with { type: "json" };

describe("models", () => {
  // Safetensors metadata of each repository; technical reports of Gemma 3 (table 1, without the vision tower), gpt-oss (table 1), Llama 4, DeepSeek-V3, Kimi K2, GLM-4.5.
  test.each(models)("$id has its published size within 2 %%", (model) => {
    const size = (published as Record<string, number>)[model.id];
    expect(size).toBeDefined();
    expect(Math.abs(parameters(model).total / size! - 1)).toBeLessThan(0.02);
  });

  test.each([
    "llama-3.1-8b",
    "llama-3.3-70b",
    "qwen2.5-7b",
    "qwen3-8b",
    "qwen3-30b-a3b",
    "gemma-3-27b",
    "mistral-7b",
    "mixtral-8x7b",
    "deepseek-v3",
    "gpt-oss-120b",
    "phi-4",
  ])("people serve are there: %s", (name) => {
    expect(findModel(name)).not.toBeNull();
  });

  test("are many, have no id twice, and none that finds another", () => {
    expect(models.length).toBeGreaterThanOrEqual(50);
    expect(new Set(models.map(({ id }) => id)).size).toBe(models.length);
    for (const model of models) expect(findModel(model.id)).toBe(model);
  });

  test.each([
    ["llama3.1:8b", "meta-llama/Llama-3.1-8B-Instruct"],
    ["Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"],
    ["RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic", "meta-llama/Llama-3.1-70B-Instruct"],
    ["qwen3-8b-q4_k_m.gguf", "Qwen/Qwen3-8B"],
    ["Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "Qwen/Qwen3-30B-A3B-Instruct-2507"],
    ["QWEN3-30B-A3B", "Qwen/Qwen3-30B-A3B"],
    ["phi4", "microsoft/phi-4"],
    ["mixtral 8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1"],
  ])("%s is found as %s", (name, id) => {
    expect(findModel(name)?.id).toBe(id);
  });

  test.each(["", "   ", "fp8", "-", "llama", "/", "qwen3-8", "instruct", "x".repeat(10_000)])(
    "nothing is found for %j",
    (name) => {
      expect(findModel(name)).toBeNull();
    },
  );

  test.each([
    ["lama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"],
    ["mixtrl", "mistralai/Mixtral-8x7B-Instruct-v0.1"],
    ["gpt oss", "openai/gpt-oss-20b"],
    ["qwen-3-8", "Qwen/Qwen3-8B"],
  ])("%s is answered with %s first", (name, id) => {
    const [first] = nearest(
      name,
      models.map((model) => model.id),
    );
    expect(first).toBe(id);
    expect(unknownModel(name)).toContain(`"${name}" is not in the catalogue: did you mean ${id}`);
  });

  test("weigh half in fp8 but for their embeddings", () => {
    const model = findModel("llama-3.1-8b")!;
    expect(weightBytes(model, "bf16") / 1e9).toBeCloseTo(16.1, 1);
    expect(weightBytes(model, "fp8") / 1e9).toBeCloseTo(9.1, 1);
  });
});

describe("GPUs", () => {
  test.each([
    ["H100", "h100"],
    ["h100 sxm", "h100"],
    ["NVIDIA H100 80GB HBM3", "h100"],
    ["NVIDIA-H100-80GB-HBM3", "h100"],
    ["H100-PCIe", "h100-pcie"],
    ["NVIDIA H100 NVL", "h100-nvl"],
    ["a100-sxm4-40gb", "a100-40gb"],
    ["4090", "rtx-4090"],
    ["NVIDIA GeForce RTX 4090", "rtx-4090"],
    ["L40S", "l40s"],
  ])("%s is found as %s", (text, name) => {
    expect(findGpu(text)?.name).toBe(name);
  });

  test.each(["", "h300", "h1", "tpu", "nvidia"])("nothing is found for %j", (text) => {
    expect(findGpu(text)).toBeNull();
  });

  test("keep to what physics and their makers allow", () => {
    for (const gpu of Object.values(gpus)) {
      expect(gpu.flopsFp8).toBeGreaterThanOrEqual(gpu.flopsBf16);
      expect(gpu.memoryBytes).toBeLessThan(gpu.bandwidth);
      expect(gpu.linkBandwidth).toBeLessThan(gpu.bandwidth);
      expect(gpu.product).toMatch(/^NVIDIA /);
    }
    expect(hasFp8(gpus.a100)).toBe(false);
    expect(hasFp8(gpus.h100)).toBe(true);
  });
});
