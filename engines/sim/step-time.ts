import type { Gpu } from "../catalog/gpus.ts";
import { type Model, WEIGHT_BYTES, type WeightType } from "../catalog/models.ts";
import type { EngineProfile, GemmConstants, KvType } from "./profiles.ts";
import { DRAFT_MS, VERIFY_MS } from "./speculation.ts";

/** What runs the step: model, weights, cards, engine. */
export interface Machine {
  readonly model: Model;
  readonly weights: WeightType;
  readonly kvType: KvType;
  readonly gpu: Gpu;
  /** Tensor-parallel degree. */
  readonly tp: number;
  /** Each card holds whole experts instead of a slice of every one. */
  readonly expertParallel: boolean;
  readonly profile: EngineProfile;
}

/** What one step holds. */
export interface StepLoad {
  /** Sequences that decode, and the tokens each is given: one, or the drafts to verify and one. */
  readonly decodes: number;
  readonly decodeTokens: number;
  /** Sum of their context lengths, tokens. */
  readonly decodeContext: number;
  readonly chunks: readonly PrefillChunk[];
  /** Prompts that end in this step and give their first token. */
  readonly firsts: number;
}

/** New prompt tokens of one sequence, and how many of its tokens are in the cache already. */
export interface PrefillChunk {
  readonly tokens: number;
  readonly cached: number;
}

const MICRO = 1e-6;
const BF16 = WEIGHT_BYTES.bf16;
/** Share of bandwidth reached by the small element-wise kernels. */
const ELEMENTWISE_SHARE = 0.75;

/**
 * Time of one engine step in ms: a roofline per operator with the constants of the engine's kernels, plus
 * the host's share. Pure; some forty multiplications.
 */
export function stepTimeMs(machine: Machine, load: StepLoad): number {
  const { model, profile } = machine;
  let prefill = 0;
  for (const chunk of load.chunks) prefill += chunk.tokens;
  const verified = load.decodes * load.decodeTokens;
  const tokens = verified + prefill;
  if (tokens === 0) return 0;
  const layers =
    model.layers * layerSeconds(machine, load, tokens) + mixtureSeconds(machine, tokens);
  const gpuMs = (layers + headSeconds(machine, verified + load.firsts)) * 1e3;
  const floorMs = prefill > 0 && tokens > profile.graphTokens ? profile.launchMs * model.layers : 0;
  const sampling = load.decodes + load.firsts;
  const hostMs = profile.stepMs + (sampling * profile.sequenceUs) / 1e3;
  const draftMs =
    load.decodes > 0 && load.decodeTokens > 1 ? VERIFY_MS + (load.decodeTokens - 1) * DRAFT_MS : 0;
  return Math.max(gpuMs, floorMs) + hostMs + draftMs;
}

/** Everything of a layer but its feed-forward block when that is a mixture. */
function layerSeconds(machine: Machine, load: StepLoad, tokens: number): number {
  const { model, tp, profile } = machine;
  const { hidden, heads, kvHeads, headDim, experts } = model;
  const projections =
    model.latent === undefined
      ? gemmSeconds(machine, tokens, ((heads + 2 * Math.max(kvHeads, tp)) * headDim) / tp, hidden)
      : latentProjections(machine, tokens);
  const out = gemmSeconds(machine, tokens, hidden, (heads * headDim) / tp);
  const dense = experts === undefined ? denseSeconds(machine, tokens, model.ffn) : 0;
  const width = experts === undefined ? model.ffn : experts.active * experts.ffn;
  const elementBytes = tokens * (16 * hidden + (6 * width) / tp);
  const small =
    (profile.layerUs + (model.qkNorm === true ? profile.qkNormUs : 0)) * MICRO +
    elementBytes / (ELEMENTWISE_SHARE * machine.gpu.bandwidth);
  return (
    projections +
    out +
    dense +
    attentionSeconds(machine, load) +
    small +
    2 * allReduceSeconds(machine, tokens)
  );
}

function denseSeconds(machine: Machine, tokens: number, width: number): number {
  const { model, tp } = machine;
  return (
    gemmSeconds(machine, tokens, (2 * width) / tp, model.hidden) +
    gemmSeconds(machine, tokens, model.hidden, width / tp)
  );
}

/** Mixture blocks of all layers, and the dense blocks of those layers that have one instead. */
function mixtureSeconds(machine: Machine, tokens: number): number {
  const { model, weights, gpu, tp, profile, expertParallel } = machine;
  const { experts } = model;
  if (experts === undefined) return 0;
  const { launchUs, bandwidthShare, flopsShare, skew } = profile.mixture[weights];
  const denseLayers = experts.denseLayers ?? 0;
  const touched = distinctExperts(experts.count, experts.active, tokens * skew);
  const expertWeights = (3 * model.hidden * experts.ffn) / tp;
  const bytes =
    (touched * expertWeights * WEIGHT_BYTES[weights]) / (gpu.bandwidth * bandwidthShare);
  const whole = expertParallel ? profile.expertParallel : { layerUs: 0, flopsShare: 1 };
  const flops =
    (2 * tokens * experts.active * expertWeights) / (gpu.flopsBf16 * flopsShare * whole.flopsShare);
  const one = (launchUs + whole.layerUs) * MICRO + Math.hypot(bytes, flops);
  const shared =
    experts.sharedFfn === undefined ? 0 : denseSeconds(machine, tokens, experts.sharedFfn);
  return (
    (model.layers - denseLayers) * (one + shared) +
    (denseLayers === 0 ? 0 : denseLayers * denseSeconds(machine, tokens, model.ffn))
  );
}

/** Experts touched by `tokens` tokens when each picks `active` of `count` at random. */
function distinctExperts(count: number, active: number, tokens: number): number {
  const touched = count * (1 - (1 - active / count) ** tokens);
  return Math.min(count, Math.max(active, touched));
}

function latentProjections(machine: Machine, tokens: number): number {
  const { model, tp } = machine;
  const { hidden, heads, headDim } = model;
  const { rank, ropeDim, queryRank } = model.latent ?? { rank: 0, ropeDim: 0, queryRank: 0 };
  return (
    gemmSeconds(machine, tokens, queryRank + rank + ropeDim, hidden) +
    gemmSeconds(machine, tokens, (heads * (headDim + ropeDim)) / tp, queryRank) +
    gemmSeconds(machine, tokens, (heads * 2 * headDim) / tp, rank)
  );
}

function attentionSeconds(machine: Machine, load: StepLoad): number {
  const { model, gpu, tp, profile, kvType } = machine;
  const { heads, headDim } = model;
  let seconds = 0;
  if (load.decodes > 0) {
    const { launchUs, bandwidthShare, perSequenceUs } = profile.decodeAttention;
    const context = seenContext(model, load.decodeContext / load.decodes) * load.decodes;
    const read = (context * kvBytesPerLayer(machine)) / (gpu.bandwidth * bandwidthShare[kvType]);
    const summed = latentFlops(machine, context * load.decodeTokens) / gpu.flopsBf16;
    seconds += (launchUs + load.decodes * perSequenceUs) * MICRO + Math.max(read, summed);
  }
  if (load.chunks.length > 0) {
    const { launchUs, flopsShare } = profile.prefillAttention;
    let pairs = 0;
    for (const { tokens, cached } of load.chunks)
      pairs += tokens * seenContext(model, cached + tokens / 2);
    seconds +=
      launchUs * MICRO +
      (4 * (heads / tp) * headDim * pairs) / (gpu.flopsBf16 * flopsShare[kvType]);
  }
  return seconds;
}

/** Bytes one context token takes on one card in one layer. */
function kvBytesPerLayer({ model, tp, kvType }: Machine): number {
  const { latent, kvHeads, headDim } = model;
  const values =
    latent === undefined ? Math.max(kvHeads / tp, 1) * 2 * headDim : latent.rank + latent.ropeDim;
  return values * WEIGHT_BYTES[kvType];
}

/** Sums of latent attention, whose every head works on the whole latent: there the sums, not the bytes, are the limit. */
function latentFlops({ model, tp, profile, kvType }: Machine, context: number): number {
  const { latent, heads } = model;
  if (latent === undefined) return 0;
  const perToken = 2 * (heads / tp) * (2 * latent.rank + latent.ropeDim);
  return (context * perToken) / profile.prefillAttention.flopsShare[kvType];
}

/** Tokens of context an average layer looks at. */
function seenContext({ window }: Model, context: number): number {
  if (window === undefined) return context;
  return (1 - window.share) * context + window.share * Math.min(context, window.tokens);
}

function headSeconds(machine: Machine, samples: number): number {
  const { model, tp, gpu, profile } = machine;
  if (samples === 0) return 0;
  return roofline(
    profile.gemm.bf16,
    { m: samples, n: model.vocab / tp, k: model.hidden },
    { bytes: BF16, flops: gpu.flopsBf16, bandwidth: gpu.bandwidth },
  );
}

function gemmSeconds(machine: Machine, m: number, n: number, k: number): number {
  const { weights, gpu, profile } = machine;
  // Only the experts of an MXFP4 model are stored in four bits; its attention stays bf16.
  const type = weights === "mxfp4" ? "bf16" : weights;
  const flops = type === "fp8" ? gpu.flopsFp8 : gpu.flopsBf16;
  return roofline(
    profile.gemm[type],
    { m, n, k },
    { bytes: WEIGHT_BYTES[type], flops, bandwidth: gpu.bandwidth },
  );
}

/** A matrix product is limited by the bytes it moves or the sums it does; near the border by a bit of both. */
function roofline(
  constants: GemmConstants,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
  rate: { readonly bytes: number; readonly flops: number; readonly bandwidth: number },
): number {
  const { bandwidthShare, flopsShare, launchUs, blend } = constants;
  const moved = (rate.bytes * (n * k + m * k) + 2 * m * n) / (rate.bandwidth * bandwidthShare);
  const summed = (2 * m * n * k) / (rate.flops * flopsShare);
  return launchUs * MICRO + (moved ** blend + summed ** blend) ** (1 / blend);
}

function allReduceSeconds({ model, gpu, tp, profile }: Machine, tokens: number): number {
  const constants = profile.allReduce[tp];
  if (constants === undefined) return 0;
  const megabytes = (tokens * model.hidden * BF16) / 1e6;
  return (constants[0] + (constants[1] * megabytes) / gpu.linkScale) * MICRO;
}
