import type { EngineName } from "../engine.ts";
import type { Gpu } from "./gpus.ts";
import { kvBytesPerToken, type Model } from "./models.ts";

/** Engines whose use of memory is known. */
export type ServingEngine = Exclude<EngineName, "openai">;

/** How an engine shares a card's memory between weights and KV cache when nothing is set. */
interface Shares {
  readonly share: number;
  /** The share is of what the weights leave free, not of the whole card. */
  readonly afterWeights: boolean;
}

/**
 * vLLM: gpu_memory_utilization 0.92 since 0.22 (vllm/config/cache.py). SGLang: mem_fraction_static, 0.87 on 80 GB
 * (sglang/srt/server_args.py). TensorRT-LLM: free_gpu_memory_fraction 0.9 (llmapi/llm_args.py). llama.cpp takes what it needs;
 * a tenth is left to its compute buffers.
 */
const SHARES: Readonly<Record<ServingEngine, Shares>> = {
  vllm: { share: 0.92, afterWeights: false },
  sglang: { share: 0.87, afterWeights: false },
  "tensorrt-llm": { share: 0.9, afterWeights: true },
  "llama.cpp": { share: 0.9, afterWeights: false },
};

/** Activations, graphs and workspace of one card; fits the capacities engines print at start. */
const WORKSPACE_BYTES = 3e9;
/** A cache that holds less than this serves nobody. */
const LENGTH_TOKENS_MIN = 2_048;
/** Estimates err by a few per cent, and an engine asked for more than it has does not start. */
const LENGTH_MARGIN = 0.9;
const LENGTH_STEP_TOKENS = 1_024;

/** What weights and cache of a model take on each card of a tensor-parallel group. */
export interface MemoryPlan {
  readonly weightBytes: number;
  /** Left for the KV cache; negative when the weights alone do not fit. */
  readonly cacheBytes: number;
  /** Longest sequence the cache holds, with a margin, in whole steps; 0 when it does not fit. At most the model's own. */
  readonly lengthTokens: number;
}

/** Plans the memory of one card. `weightBytes` are those of all cards together. */
export function planMemory(
  engine: ServingEngine,
  model: Model,
  on: { readonly gpu: Gpu; readonly tp: number; readonly weightBytes: number },
): MemoryPlan {
  const weightBytes = on.weightBytes / on.tp;
  const cacheBytes = cacheBytesOn(engine, on.gpu, weightBytes);
  const lengthTokens = longestIn(cacheBytes, model, on.tp);
  return {
    weightBytes,
    cacheBytes,
    lengthTokens:
      lengthTokens < Math.min(LENGTH_TOKENS_MIN, model.contextTokens) ? 0 : lengthTokens,
  };
}

/** Bytes an engine has left for KV cache on a card that holds `weightBytes` of weights; negative when they do not fit. */
export function cacheBytesOn(engine: ServingEngine, gpu: Gpu, weightBytes: number): number {
  const { share, afterWeights } = SHARES[engine];
  return afterWeights
    ? (gpu.memoryBytes - weightBytes - WORKSPACE_BYTES) * share
    : gpu.memoryBytes * share - weightBytes - WORKSPACE_BYTES;
}

/** Layers with a window keep its tokens and no more, so a sequence costs less per token once it is longer. */
function longestIn(cacheBytes: number, model: Model, tp: number): number {
  const { window, contextTokens } = model;
  const perToken = kvBytesPerToken(model, tp);
  const share = window?.share ?? 0;
  const bytesOf = (tokens: number): number =>
    perToken * ((1 - share) * tokens + share * Math.min(tokens, window?.tokens ?? tokens));
  if (bytesOf(contextTokens) <= cacheBytes * LENGTH_MARGIN) return contextTokens;
  const windowed = perToken * share * (window?.tokens ?? 0);
  const room = cacheBytes * LENGTH_MARGIN;
  const tokens = Math.max((room - windowed) / (perToken * (1 - share)), room / perToken);
  return Math.max(0, Math.floor(tokens / LENGTH_STEP_TOKENS) * LENGTH_STEP_TOKENS);
}
