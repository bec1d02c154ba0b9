import rows from "./data/checkpoints.json" with { type: "json" };
import { type Model, parameters, weightBytes, type WeightType } from "./models.ts";

/** Weight types a start command can ask for: those of the timing model, and llama.cpp's own. */
export type StoredType = WeightType | "q8_0" | "q4_k_m";

export const STORED_TYPES = [
  "bf16",
  "fp8",
  "mxfp4",
  "q8_0",
  "q4_k_m",
] as const satisfies readonly StoredType[];

/** Repositories that hold a model in other weight types than its own. */
export interface Checkpoints {
  /** FP8 as vLLM and SGLang read it. */
  readonly fp8?: string;
  /** That checkpoint has one scale per block this wide: a slice of a matrix must be a whole number of blocks. */
  readonly fp8BlockColumns?: number;
  /** FP8 as TensorRT-LLM reads it (made with TensorRT Model Optimizer). */
  readonly fp8ModelOpt?: string;
  /** llama.cpp's files, one per quantisation. */
  readonly gguf?: string;
}

const known: Readonly<Record<string, Checkpoints>> = rows;

/** Where a model can be had in other weight types; empty when the catalogue knows of none. */
export function checkpointsOf(model: Model): Checkpoints {
  return known[model.id] ?? {};
}

/** Bits per weight over the whole file, from the table in llama.cpp's tools/quantize/README.md. */
const GGUF_BITS = { q8_0: 8.5, q4_k_m: 4.89 } as const;

/** Bytes of weights over all cards. */
export function storedBytes(model: Model, type: StoredType): number {
  if (type === "q8_0" || type === "q4_k_m") return (parameters(model).total * GGUF_BITS[type]) / 8;
  return weightBytes(model, type);
}
