import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { kubernetesForm } from "../../../engines/catalog/kubernetes.ts";
import { findModel, models } from "../../../engines/catalog/models.ts";
import { type Recipe, RecipeError, type RecipeRequest } from "../../../engines/catalog/recipe.ts";
import { dockerForm, processForm } from "../../../engines/catalog/recipe-forms.ts";
import { recipeFor } from "../../../engines/catalog/recipe-order.ts";
import { recipes } from "../../../engines/catalog/recipes.ts";

const ENGINES = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"] as const;
const line = (request: RecipeRequest): string => recipeFor(request).command.join(" ");
const refusal = (request: RecipeRequest): string => {
  try {
    recipeFor(request);
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
};

/** Programs that print their own name and arguments: what a POSIX shell makes of a form. */
const bin = mkdtempSync(join(tmpdir(), "pitot-recipes-"));
for (const program of ["docker", "vllm", "python3", "trtllm-serve", "llama-server"]) {
  const path = join(bin, program);
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' ${program} "$@"\n`, { mode: 0o755 });
}
afterAll(() => {
  rmSync(bin, { recursive: true });
});

const wordsOf = (form: string): string[] =>
  execFileSync("sh", ["-c", form], {
    encoding: "utf8",
    cwd: bin,
    env: { PATH: `${bin}:${process.env["PATH"]}`, HOME: "/home/x" },
  })
    .trim()
    .split("\n");

/** The tokens of one sequence, or the sentence of a refusal. */
const outcome = (request: RecipeRequest): string => {
  try {
    return `${recipeFor(request).memory.lengthTokens} tokens`;
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
};

describe("a start command", () => {
  test("is the engine's own, with what makes it tell its load", () => {
    expect(line({ engine: "vllm", model: "llama-3.1-8b" })).toBe(
      "vllm serve meta-llama/Llama-3.1-8B-Instruct --host 0.0.0.0 --port 8000 --enable-prompt-tokens-details",
    );
    expect(line({ engine: "sglang", model: "llama-3.1-8b", tp: 2 })).toBe(
      "python3 -m sglang.launch_server --model-path meta-llama/Llama-3.1-8B-Instruct --host 0.0.0.0 --port 30000 --tp-size 2 --enable-metrics --enable-cache-report",
    );
    expect(line({ engine: "trtllm", model: "qwen3-8b" })).toBe(
      "trtllm-serve Qwen/Qwen3-8B --host 0.0.0.0 --port 8000 --extra_llm_api_options trtllm.yaml",
    );
    expect(recipeFor({ engine: "trtllm", model: "qwen3-8b" }).file?.content).toContain(
      "return_perf_metrics: true",
    );
    expect(line({ engine: "llama-server", model: "gpt-oss-20b" })).toBe(
      "llama-server -hf ggml-org/gpt-oss-20b-GGUF --host 0.0.0.0 --port 8080 -ngl 99 --metrics",
    );
  });

  test("shortens the context where the cache cannot hold one whole sequence", () => {
    const { command, memory, notes } = recipeFor({ engine: "vllm", model: "llama-3.3-70b", tp: 2 });
    expect(command).toContain("--max-model-len");
    expect(memory.lengthTokens).toBeGreaterThan(16_384);
    expect(memory.lengthTokens).toBeLessThan(131_072);
    expect(notes.join()).toContain(`limited to ${memory.lengthTokens}`);
  });

  test("takes the FP8 checkpoint each engine reads, or quantises on the way", () => {
    const fp8 = { model: "llama-3.3-70b", tp: 4, weights: "fp8" } as const;
    expect(recipeFor({ engine: "vllm", ...fp8 }).checkpoint).toBe(
      "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic",
    );
    expect(recipeFor({ engine: "tensorrt-llm", ...fp8 }).checkpoint).toBe(
      "nvidia/Llama-3.3-70B-Instruct-FP8",
    );
    const { command } = recipeFor({ engine: "vllm", model: "phi-4", weights: "fp8" });
    expect(command.join(" ")).toContain("microsoft/phi-4");
    expect(command.join(" ")).toContain("--quantization fp8");
  });

  test("reads the weight type off the model's name", () => {
    const { weights, checkpoint } = recipeFor({ engine: "vllm", model: "Qwen/Qwen3-32B-FP8" });
    expect({ weights, checkpoint }).toEqual({ weights: "fp8", checkpoint: "Qwen/Qwen3-32B-FP8" });
  });

  test("keeps a model published in one type in that type", () => {
    expect(recipeFor({ engine: "vllm", model: "gpt-oss-120b" }).weights).toBe("mxfp4");
    expect(recipeFor({ engine: "sglang", model: "deepseek-v3", tp: 8, gpu: "h200" }).weights).toBe(
      "fp8",
    );
  });

  test("pins a release wherever it runs", () => {
    for (const { version, image, install } of Object.values(recipes)) {
      expect(image).toContain(version);
      expect(install).toContain(version);
      expect(image).not.toContain("latest");
    }
  });

  test.each(ENGINES)("is found or refused in one sentence for every model on %s", (engine) => {
    for (const { id } of models) {
      for (const tp of [1, 2, 8])
        expect(outcome({ engine, model: id, tp })).toMatch(/[:;] .+\.$|^\d{4,} tokens$/);
    }
  });
});

describe("what does not fit", () => {
  test("names the weights and the smallest way out", () => {
    expect(refusal({ engine: "vllm", model: "llama-3.1-70b" })).toBe(
      "meta-llama/Llama-3.1-70B-Instruct does not fit on 1 × H100 SXM 80 GB: 141 GB of bf16 weights; use --tp 2, or --weights fp8.",
    );
  });

  test("is sent to a larger card where more of the same would not do", () => {
    expect(refusal({ engine: "vllm", model: "deepseek-v3", tp: 8 })).toContain("--gpu h200 --tp 8");
  });

  test("says when one machine is not enough", () => {
    expect(refusal({ engine: "vllm", model: "kimi-k2", gpu: "b200", tp: 4 })).toContain("--tp 8");
    expect(refusal({ engine: "llama.cpp", model: "kimi-k2", gpu: "l4", weights: "bf16" })).toMatch(
      /does not fit on 1 × L4 24 GB: 20\d\d GB of bf16 weights; .+\.$/,
    );
  });

  test("holds for every way out it offers", () => {
    for (const engine of ENGINES) {
      for (const { id } of models) followAdvice({ engine, model: id, gpu: "l4" });
    }
  });
});

/** Does what a refusal advises, and expects that to be taken. */
function followAdvice(request: RecipeRequest): void {
  const sentence = outcome(request);
  const [, first] = /; use (--.+?)(?:, or .+)?\.$/.exec(sentence) ?? [];
  if (first === undefined) return;
  const flag = (name: string): string | undefined =>
    new RegExp(`--${name} (\\S+)`).exec(first)?.[1];
  const advised = {
    ...request,
    ...(flag("tp") === undefined ? {} : { tp: Number(flag("tp")) }),
    ...(flag("gpu") === undefined ? {} : { gpu: flag("gpu")! }),
    ...(flag("weights") === undefined ? {} : { weights: flag("weights") as "fp8" }),
  };
  expect(() => recipeFor(advised), `${sentence} → ${JSON.stringify(advised)}`).not.toThrow();
}

describe("a recipe is refused", () => {
  test.each([
    [{ engine: "ollama", model: "phi-4" }, 'no recipe for "ollama": choose vllm, sglang,'],
    [{ engine: "vllm", model: "lama-3.1-8b" }, "did you mean meta-llama/Llama-3.1-8B-Instruct"],
    [{ engine: "vllm", model: "phi-4", gpu: "h101" }, 'GPU "h101" is not in the catalogue'],
    [{ engine: "vllm", model: "llama-3.1-8b", tp: 3 }, "does not divide the 32 attention heads"],
    [
      { engine: "vllm", model: "phi-4", tp: 4 },
      "10 key-value heads of microsoft/phi-4: choose 1 or 2.",
    ],
    [{ engine: "vllm", model: "llama-3.1-8b", tp: 16 }, "more than the 8 × H100"],
    [
      { engine: "vllm", model: "qwen3-30b-a3b", tp: 4, weights: "fp8" },
      "one per 128: choose 1 or 2",
    ],
    [{ engine: "vllm", model: "qwen3-8b", weights: "q8_0" }, "q8_0 is llama.cpp's"],
    [{ engine: "llama.cpp", model: "qwen3-8b", weights: "fp8" }, "llama.cpp has no fp8"],
    [{ engine: "vllm", model: "gpt-oss-20b", weights: "bf16" }, "is published in mxfp4"],
    [{ engine: "vllm", model: "phi-4", weights: "mxfp4" }, "is published in bf16"],
    [{ engine: "trtllm", model: "phi-4", weights: "fp8" }, "no FP8 checkpoint of microsoft/phi-4"],
    [{ engine: "trtllm", model: "qwen3-8b", weights: "fp8", gpu: "a100" }, "needs FP8 units"],
  ] as const)("%o", (request, words) => {
    expect(refusal(request)).toContain(words);
  });
});

interface Probe {
  readonly httpGet: { readonly path: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

/** As much of a Kubernetes object as is looked at here. */
interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector?: object;
    readonly ports?: readonly { readonly port: number }[];
    readonly template?: {
      readonly spec: {
        readonly volumes: readonly { readonly name: string }[];
        readonly containers: readonly {
          readonly image: string;
          readonly command?: readonly string[];
          readonly args: readonly string[];
          readonly resources: { readonly limits: Readonly<Record<string, string>> };
          readonly startupProbe: Probe;
          readonly livenessProbe: Probe;
          readonly volumeMounts: readonly { readonly name: string }[];
        }[];
      };
    };
  };
}

describe("the forms of a recipe", () => {
  const every: readonly Recipe[] = [
    recipeFor({ engine: "vllm", model: "llama-3.3-70b", tp: 2 }),
    recipeFor({ engine: "sglang", model: "qwen3-8b" }),
    recipeFor({ engine: "tensorrt-llm", model: "qwen3-8b", tp: 2 }),
    recipeFor({ engine: "llama.cpp", model: "llama-3.3-70b" }),
  ];

  test.each(every)("for $engine give a shell the very words of the command", (recipe) => {
    expect(wordsOf(processForm(recipe))).toEqual([...recipe.command]);
    const docker = wordsOf(dockerForm(recipe));
    expect(docker.slice(0, 3)).toEqual(["docker", "run", "--rm"]);
    expect(docker.slice(docker.indexOf(recipe.image))).toEqual([
      recipe.image,
      ...recipe.entry,
      ...recipe.containerArgs,
    ]);
    expect(docker).toContain(recipe.tp === 2 ? '"device=0,1"' : '"device=0"');
  });

  test.each(every)("for $engine are Kubernetes objects that belong together", (recipe) => {
    const documents = parseAllDocuments(kubernetesForm(recipe));
    expect(documents.flatMap((document) => document.errors)).toEqual([]);
    const objects = documents.map((document) => document.toJS() as KubernetesObject);
    const one = (kind: string): KubernetesObject => objects.find((object) => object.kind === kind)!;
    const pod = one("Deployment").spec.template!.spec;
    const engine = pod.containers[0]!;
    expect(engine.image).toBe(recipe.image);
    expect([...(engine.command ?? []), ...engine.args]).toEqual([
      ...recipe.entry,
      ...recipe.containerArgs,
    ]);
    expect(engine.resources.limits["nvidia.com/gpu"]).toBe(String(recipe.tp));
    const { startupProbe, livenessProbe } = engine;
    expect(startupProbe.httpGet.path).toBe("/health");
    expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBe(3600);
    expect(livenessProbe.httpGet.path).toBe(recipe.engine === "sglang" ? "/ping" : "/health");
    const volumes = pod.volumes.map((volume) => volume.name);
    for (const mount of engine.volumeMounts) expect(volumes).toContain(mount.name);
    expect(pod.volumes).toContainEqual({
      name: "shared-memory",
      emptyDir: { medium: "Memory", sizeLimit: "16Gi" },
    });
    const { name } = one("Deployment").metadata;
    expect(name).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/);
    expect(one("Service").spec.selector).toEqual({ app: name });
    expect(one("Service").spec.ports![0]!.port).toBe(recipe.port);
    const claimName = one("PersistentVolumeClaim").metadata.name;
    expect(pod.volumes).toContainEqual({ name: "weights", persistentVolumeClaim: { claimName } });
  });

  test("never put a token into a command line", () => {
    for (const recipe of every) expect(dockerForm(recipe)).not.toMatch(/HF_TOKEN=/);
  });

  test("know a model the catalogue knows under the checkpoint's name too", () => {
    for (const { checkpoint, model } of every) {
      expect(`${checkpoint}: ${findModel(checkpoint)?.id}`).toBe(`${checkpoint}: ${model.id}`);
    }
  });
});
