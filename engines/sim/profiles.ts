import type { EngineName } from "../engine.ts";
import type { WeightType } from "../catalog/models.ts";

/** Engines the simulator speaks. */
export type Persona = Exclude<EngineName, "openai">;

/** How keys and values are stored. */
export type KvType = "bf16" | "fp8";

/** Efficiency of a matrix multiplication: share of bandwidth and of FLOP/s reached, launch time, blend of the two limits. */
export interface GemmConstants {
  readonly bandwidthShare: number;
  readonly flopsShare: number;
  readonly launchUs: number;
  readonly blend: number;
}

/** Constants of one engine's kernels and host side. Never fitted to a single published row or model. */
export interface EngineProfile {
  readonly gemm: Readonly<Record<Exclude<WeightType, "mxfp4">, GemmConstants>>;
  readonly decodeAttention: {
    readonly launchUs: number;
    readonly bandwidthShare: Readonly<Record<KvType, number>>;
    readonly perSequenceUs: number;
  };
  readonly prefillAttention: {
    readonly launchUs: number;
    readonly flopsShare: Readonly<Record<KvType, number>>;
  };
  readonly mixture: Readonly<Record<WeightType, MixtureConstants>>;
  /** All-reduce: fixed µs and µs per MB by tensor-parallel degree. */
  readonly allReduce: Readonly<Record<number, readonly [number, number]>>;
  /** Small kernels and gaps, µs per layer. */
  readonly layerUs: number;
  /** Extra µs per layer for normalised queries and keys. */
  readonly qkNormUs: number;
  /** Whole experts on each card: extra µs per layer to hand tokens over, and the share of FLOP/s its kernels keep. */
  readonly expertParallel: { readonly layerUs: number; readonly flopsShare: number };
  /** Host time per step, and per sequence that samples, while the card waits. */
  readonly stepMs: number;
  readonly sequenceUs: number;
  /** Floor of a step with more prefill tokens than fit a captured graph, ms per layer. */
  readonly launchMs: number;
  readonly graphTokens: number;
  /** From the request's arrival to the scheduler and back, ms. */
  readonly apiMs: number;
  readonly chatApiMs: number;
}

/** Fused expert kernel: launch, share of bandwidth and of bf16 peak, and how much routing favours some experts. */
export interface MixtureConstants {
  readonly launchUs: number;
  readonly bandwidthShare: number;
  readonly flopsShare: number;
  /** Tokens count as this share of themselves when experts are drawn: 1 is even routing. */
  readonly skew: number;
}

const MIX = { launchUs: 25, bandwidthShare: 0.87, flopsShare: 0.45, skew: 0.8 } as const;

const VLLM: EngineProfile = {
  gemm: {
    bf16: { bandwidthShare: 0.883, flopsShare: 0.73, launchUs: 3.7, blend: 3.2 },
    fp8: { bandwidthShare: 0.859, flopsShare: 0.7, launchUs: 6.5, blend: 1.3 },
  },
  decodeAttention: {
    launchUs: 11.3,
    bandwidthShare: { bf16: 0.916, fp8: 0.726 },
    perSequenceUs: 0.047,
  },
  prefillAttention: { launchUs: 13.6, flopsShare: { bf16: 0.69, fp8: 0.69 } },
  mixture: {
    bf16: { ...MIX, launchUs: 20 },
    fp8: { launchUs: 29, bandwidthShare: 0.87, flopsShare: 0.6, skew: 0.67 },
    mxfp4: { launchUs: 45, bandwidthShare: 0.9, flopsShare: 0.19, skew: 0.8 },
  },
  allReduce: { 2: [4.3, 4.6], 4: [5.2, 5.3], 8: [6.5, 4.9] },
  layerUs: 14.7,
  qkNormUs: 12.5,
  expertParallel: { layerUs: 40, flopsShare: 0.27 },
  stepMs: 0.19,
  sequenceUs: 7.2,
  launchMs: 0.59,
  graphTokens: 512,
  apiMs: 18.5,
  chatApiMs: 20,
};

/** Engine and era; vLLM planned each step after the last one until 0.13. */
export type ProfileName = Persona | "vllm-sync";

/**
 * Kernel figures start from the public H100 SXM timing tables of ai-dynamo/aiconfigurator (aic-core/…/systems/data/h100_sxm).
 * Host figures, and those kernel figures an end-to-end run shows better, are fitted once per engine, era and weight type to
 * all published runs of the engine together: docs/simulator.md tells how well they do, also on runs they were not fitted to.
 */
export const profiles: Readonly<Record<ProfileName, EngineProfile>> = {
  vllm: VLLM,
  "vllm-sync": {
    ...VLLM,
    layerUs: 11,
    stepMs: 0.66,
    sequenceUs: 45,
    apiMs: 10,
    chatApiMs: 12.5,
  },
  sglang: {
    gemm: {
      bf16: { bandwidthShare: 0.856, flopsShare: 0.74, launchUs: 4.1, blend: 3.3 },
      fp8: { bandwidthShare: 0.866, flopsShare: 0.537, launchUs: 6.8, blend: 1.4 },
    },
    decodeAttention: {
      launchUs: 9.2,
      bandwidthShare: { bf16: 0.83, fp8: 0.597 },
      perSequenceUs: 0.03,
    },
    prefillAttention: { launchUs: 11.1, flopsShare: { bf16: 0.65, fp8: 0.8 } },
    mixture: {
      bf16: MIX,
      fp8: { ...MIX, flopsShare: 0.6 },
      mxfp4: { ...MIX, bandwidthShare: 0.24, flopsShare: 0.13 },
    },
    allReduce: { 2: [2.8, 4.0], 4: [3.5, 5.2], 8: [4.8, 5.5] },
    layerUs: 16,
    qkNormUs: 4,
    expertParallel: { layerUs: 40, flopsShare: 1 },
    stepMs: 0.2,
    sequenceUs: 17.5,
    launchMs: 0.25,
    graphTokens: 0,
    apiMs: 5,
    chatApiMs: 19,
  },
  "tensorrt-llm": {
    gemm: {
      bf16: { bandwidthShare: 0.833, flopsShare: 0.73, launchUs: 3.6, blend: 3.0 },
      fp8: { bandwidthShare: 0.826, flopsShare: 0.54, launchUs: 6.5, blend: 1 },
    },
    decodeAttention: {
      launchUs: 8.8,
      bandwidthShare: { bf16: 0.93, fp8: 0.93 },
      perSequenceUs: 0.03,
    },
    prefillAttention: { launchUs: 14, flopsShare: { bf16: 0.65, fp8: 0.81 } },
    mixture: {
      bf16: MIX,
      fp8: { launchUs: 34, bandwidthShare: 0.96, flopsShare: 0.59, skew: 0.55 },
      mxfp4: { ...MIX, bandwidthShare: 0.55, flopsShare: 0.2 },
    },
    allReduce: { 2: [2.9, 4.2], 4: [3.8, 5.6], 8: [5, 5.7] },
    layerUs: 21,
    qkNormUs: 0,
    expertParallel: { layerUs: 12, flopsShare: 1 },
    stepMs: 0.3,
    sequenceUs: 15,
    launchMs: 0.9,
    graphTokens: 0,
    apiMs: 5,
    chatApiMs: 24,
  },
  // Shares as published for F16 on other cards: 82 % of an RTX 4090's bandwidth, 36 % of an A100's FLOP/s
  // (ggml-org/llama.cpp pull requests 4766 and 6017); the rest as its kernels' class.
  "llama.cpp": {
    gemm: {
      bf16: { bandwidthShare: 0.82, flopsShare: 0.36, launchUs: 5, blend: 2 },
      fp8: { bandwidthShare: 0.7, flopsShare: 0.3, launchUs: 7, blend: 2 },
    },
    decodeAttention: { launchUs: 12, bandwidthShare: { bf16: 0.6, fp8: 0.5 }, perSequenceUs: 1 },
    prefillAttention: { launchUs: 15, flopsShare: { bf16: 0.4, fp8: 0.4 } },
    mixture: {
      bf16: { launchUs: 30, bandwidthShare: 0.6, flopsShare: 0.25, skew: 0.8 },
      fp8: { launchUs: 30, bandwidthShare: 0.6, flopsShare: 0.25, skew: 0.8 },
      mxfp4: { launchUs: 30, bandwidthShare: 0.36, flopsShare: 0.2, skew: 0.8 },
    },
    allReduce: { 2: [10, 8], 4: [14, 9], 8: [20, 10] },
    layerUs: 30,
    qkNormUs: 4,
    expertParallel: { layerUs: 40, flopsShare: 1 },
    stepMs: 0.4,
    sequenceUs: 60,
    launchMs: 0.1,
    graphTokens: 0,
    apiMs: 2,
    chatApiMs: 3,
  },
};
