import { checkpointsOf } from "./checkpoints.ts";
import { hasFp8 } from "./gpus.ts";
import { RecipeError, type Subject } from "./recipe.ts";

interface Chosen {
  readonly checkpoint: string;
  /** The engine must quantise it while loading. */
  readonly quantise: boolean;
}

/** The repository to take, and whether the engine must quantise it while loading. @throws {RecipeError} when there is none. */
export function checkpointFor(subject: Subject): Chosen {
  const chosen = choose(subject);
  if (typeof chosen === "string") throw new RecipeError(chosen);
  return chosen;
}

/** Whether {@link checkpointFor} finds one. */
export function hasCheckpoint(subject: Subject): boolean {
  return typeof choose(subject) !== "string";
}

/** The repository, or in one sentence why there is none. */
function choose({ engine, model, weights, gpu }: Subject): Chosen | string {
  const asIs = { checkpoint: model.id, quantise: false };
  const { fp8, fp8ModelOpt, gguf } = checkpointsOf(model);
  const isGguf = weights === "q8_0" || weights === "q4_k_m";
  if (engine === "llama.cpp") {
    if (weights === "fp8") return "llama.cpp has no fp8 weights: choose q8_0, q4_k_m or bf16.";
    return { checkpoint: gguf ?? `${squeezePath(model.id)}-${weights}.gguf`, quantise: false };
  }
  if (isGguf) return `${weights} is llama.cpp's: choose bf16 or fp8 for ${engine}.`;
  const native = model.nativeType ?? "bf16";
  if (weights === native) return asIs;
  if (native !== "bf16" || weights === "mxfp4")
    return `${model.id} is published in ${native}, not in ${weights}: leave --weights out.`;
  if (engine !== "tensorrt-llm")
    return { checkpoint: fp8 ?? model.id, quantise: fp8 === undefined };
  if (!hasFp8(gpu))
    return `TensorRT-LLM needs FP8 units, which the ${gpu.title} has not: choose --weights bf16.`;
  if (fp8ModelOpt === undefined)
    return `no FP8 checkpoint of ${model.id} for TensorRT-LLM is known: choose --weights bf16, or quantise it with TensorRT Model Optimizer.`;
  return { checkpoint: fp8ModelOpt, quantise: false };
}

function squeezePath(id: string): string {
  return id.slice(id.indexOf("/") + 1);
}
