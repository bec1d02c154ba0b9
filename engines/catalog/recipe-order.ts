import { findGpu, hasFp8, unknownGpu } from "./gpus.ts";
import type { ServingEngine } from "./memory.ts";
import { findModel, unknownModel } from "./models.ts";
import { eitherOf, squeeze } from "./nearest.ts";
import {
  CONFIG_DIR,
  type Recipe,
  RecipeError,
  type RecipeRequest,
  type Subject,
} from "./recipe.ts";
import { checkpointFor } from "./recipe-checkpoint.ts";
import { fit } from "./recipe-fit.ts";
import { recipes } from "./recipes.ts";

/**
 * The recipe for an engine, a model and a kind of card.
 * @throws {RecipeError} for a name that is not known, a split that cannot be, or a model that does not fit.
 */
export function recipeFor(request: RecipeRequest): Recipe {
  const subject = subjectOf(request);
  const engineRecipe = recipes[subject.engine];
  const memory = fit(subject);
  const { checkpoint, quantise } = checkpointFor(subject);
  const port = request.port ?? engineRecipe.port;
  const order = (path: { readonly file: string; readonly weights: string }): readonly string[] => {
    const where = { checkpoint: path.weights, filePath: path.file };
    const flags = engineRecipe.flags({ ...subject, ...where, quantise, port, plan: memory });
    return flags.map((flag) => String(flag));
  };
  const { engine, model, gpu, tp, weights } = subject;
  const { version, image, install, metricsPath, livePath, cacheDir, containerEnv, file, entry } =
    engineRecipe;
  return {
    engine,
    version,
    model,
    checkpoint,
    weights,
    gpu,
    tp,
    port,
    install,
    image,
    file,
    command: [...engineRecipe.program, ...order({ file: file?.name ?? "", weights: checkpoint })],
    entry,
    containerArgs: order({
      file: `${CONFIG_DIR}/${file?.name ?? ""}`,
      weights: checkpoint.endsWith(".gguf") ? `${cacheDir}/${checkpoint}` : checkpoint,
    }),
    // The others take as many cards as they are told; llama.cpp takes all it sees.
    env: engine === "llama.cpp" ? { CUDA_VISIBLE_DEVICES: firstCards(tp) } : {},
    cacheDir,
    containerEnv,
    healthPath: "/health",
    livePath,
    metricsPath,
    memory,
    notes: notesOn(subject, { checkpoint, quantise, lengthTokens: memory.lengthTokens }),
  };
}

/** "0,1" for two cards. */
export function firstCards(count: number): string {
  return Array.from({ length: count }, (_, index) => index).join(",");
}

function subjectOf(request: RecipeRequest): Subject {
  const engine = engineOf(request.engine);
  const model = findModel(request.model);
  if (model === null) throw new RecipeError(unknownModel(request.model));
  const gpu = findGpu(request.gpu ?? "h100");
  if (gpu === null) throw new RecipeError(unknownGpu(request.gpu ?? ""));
  const inName = /fp8/i.test(request.model) ? "fp8" : undefined;
  const own = engine === "llama.cpp" && model.nativeType !== "mxfp4" ? undefined : model.nativeType;
  const weights = request.weights ?? inName ?? own ?? recipes[engine].weights;
  return { engine, model, gpu, tp: request.tp ?? 1, weights };
}

/** Engines by name, and by what people call them. */
function engineOf(name: string): ServingEngine {
  const wanted = squeeze(name);
  const aliases: Readonly<Record<string, ServingEngine>> = {
    trtllm: "tensorrt-llm",
    trtllmserve: "tensorrt-llm",
    llamaserver: "llama.cpp",
  };
  const known = Object.keys(recipes) as ServingEngine[];
  const found = known.find((engine) => squeeze(engine) === wanted) ?? aliases[wanted];
  if (found !== undefined) return found;
  throw new RecipeError(`there is no recipe for "${name}": choose ${eitherOf(known)}.`);
}

function notesOn(
  { engine, model, gpu, tp, weights }: Subject,
  chosen: {
    readonly checkpoint: string;
    readonly quantise: boolean;
    readonly lengthTokens: number;
  },
): readonly string[] {
  const notes: string[] = [];
  const { lengthTokens, checkpoint, quantise } = chosen;
  if (lengthTokens < model.contextTokens)
    notes.push(
      `${model.contextTokens} tokens of context do not fit beside the weights: limited to ${lengthTokens}.`,
    );
  if (quantise)
    notes.push(
      "no FP8 checkpoint is known: bf16 is loaded and quantised on the way, which takes longer.",
    );
  if (checkpoint.endsWith(".gguf"))
    notes.push(
      `no GGUF repository is known: convert ${model.id} with convert_hf_to_gguf.py first (for a container, into ~/.cache/llama.cpp).`,
    );
  if (weights === "fp8" && !hasFp8(gpu))
    notes.push(
      `the ${gpu.title} has no FP8 units: weights take half the memory, but multiply in bf16.`,
    );
  if (tp > 1 && gpu.link === "pcie")
    notes.push(
      `${tp} × ${gpu.title} talk over PCIe: expect tensor parallelism to cost much of what it brings.`,
    );
  if (tp > 1 && engine === "llama.cpp")
    notes.push("llama.cpp gives each card a share of the layers: more memory, not more speed.");
  if (/^(meta-llama|google|mistralai)\//.test(checkpoint))
    notes.push(`${checkpoint} may ask for consent on huggingface.co: set HF_TOKEN.`);
  return notes;
}
