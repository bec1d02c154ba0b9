import { findGpu, unknownGpu } from "../catalog/gpus.ts";
import { cacheBytesOn } from "../catalog/memory.ts";
import {
  findModel,
  kvBytesPerToken,
  type Model,
  unknownModel,
  WEIGHT_BYTES,
  weightBytes,
  type WeightType,
} from "../catalog/models.ts";
import type { Clock } from "../clock.ts";
import { forkRandom } from "../random.ts";
import { EngineCore } from "./engine-core.ts";
import { type EngineProfile, type KvType, type Persona, profiles } from "./profiles.ts";
import { NoEviction } from "./schedulers/no-eviction.ts";
import { PrefillFirst } from "./schedulers/prefill-first.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";
import { Slots } from "./schedulers/slots.ts";
import { Unified } from "./schedulers/unified.ts";
import type { Speculation } from "./speculation.ts";
import type { Machine } from "./step-time.ts";

/** Which engine on which cards. Everything but persona and model has the engine's own default. */
export interface EngineSetup {
  readonly persona: Persona;
  readonly model: string;
  readonly gpu?: string;
  readonly tp?: number;
  readonly weights?: WeightType;
  readonly seed?: number;
  readonly speed?: number;
  /** Relative spread of step times, and with it a rare stall; 0.02 unless given, 0 for neither. */
  readonly jitter?: number;
  readonly sequencesMax?: number;
  readonly stepTokensMax?: number;
  /** Longest input + output, as --max-model-len: refused when the cache cannot hold it. */
  readonly contextTokens?: number;
  /** Size of the KV cache, instead of what memory allows. */
  readonly kvCapacityTokens?: number;
  readonly kvType?: KvType;
  /** Windowed layers keep only their window, as vLLM's hybrid cache; on unless told otherwise. */
  readonly hybridCache?: boolean;
  /** Keeps finished prompts' blocks for reuse; on unless told otherwise, as in all four engines. */
  readonly prefixCache?: boolean;
  /** Whole experts on each card instead of a slice of every one. */
  readonly expertParallel?: boolean;
  /** vLLM: the next step is planned while this one runs; on unless told otherwise, as from 0.14. */
  readonly asyncScheduling?: boolean;
  /** From a request's arrival to the scheduler and back, instead of the engine's own. */
  readonly apiMs?: number;
  /** A host this many times slower than that of the published runs. */
  readonly hostFactor?: number;
  /** FP8 matrix kernels tuned for the very shapes, as in entries to MLPerf. */
  readonly tunedFp8?: boolean;
  readonly speculative?: Speculation;
}

/** A set-up the simulator cannot run, in one sentence that says what to change. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** Scheduler and limits an engine has out of the box on an 80 GB card. */
interface Defaults {
  readonly scheduler: () => Scheduler;
  readonly sequencesMax: number;
  readonly stepTokensMax: number;
  readonly blockTokens: number;
}

/** Sources: vllm/engine/arg_utils.py, sglang/srt/server_args.py, tensorrt_llm/llmapi/llm_args.py, llama.cpp common/common.h. */
const DEFAULTS: Readonly<Record<Persona, Defaults>> = {
  vllm: {
    scheduler: () => new Unified(),
    sequencesMax: 1024,
    stepTokensMax: 8192,
    blockTokens: 16,
  },
  sglang: {
    scheduler: () => new PrefillFirst(),
    sequencesMax: 2048,
    stepTokensMax: 8192,
    blockTokens: 1,
  },
  "tensorrt-llm": {
    scheduler: () => new NoEviction(),
    sequencesMax: 2048,
    stepTokensMax: 8192,
    blockTokens: 32,
  },
  "llama.cpp": {
    scheduler: () => new Slots(),
    sequencesMax: 4,
    stepTokensMax: 2048,
    blockTokens: 32,
  },
};

/** An engine that cannot hold a sequence of this length does not start. */
const CONTEXT_TOKENS_MIN = 2_048;
const DEFAULT_JITTER = 0.02;
/** Length at which the share kept by windowed layers is taken: sequences this long get the capacity vLLM reports. */
const HYBRID_LENGTH_TOKENS = 8192;
/** What MLPerf entries reach with kernels chosen for the very shapes. */
const TUNED_FP8 = { flopsShare: 0.72 } as const;
/** SGLang pages by token; blocks of 16 find the same prefixes to within 15 tokens at a sixteenth of the book-keeping. */
const BLOCK_TOKENS_MIN = 16;
/** The largest block of all engines. */
const BLOCK_TOKENS_MAX = 32;

/**
 * Builds the engine core of a set-up.
 * @throws {SetupError} for an unknown model or GPU, a degree that does not divide the heads, or a model that does not fit.
 */
export function buildCore(setup: EngineSetup, clock: Clock): EngineCore {
  const machine = machineOf(setup);
  const defaults = DEFAULTS[setup.persona];
  const speculative = setup.speculative ?? null;
  const blockTokens = Math.max(defaults.blockTokens, BLOCK_TOKENS_MIN);
  const { kvCapacityTokens, contextTokens } = roomFor(setup, machine);
  return new EngineCore({
    machine,
    scheduler: defaults.scheduler(),
    limits: {
      sequencesMax: setup.sequencesMax ?? defaults.sequencesMax,
      stepTokensMax: setup.stepTokensMax ?? defaults.stepTokensMax,
      decodeTokens: 1 + (speculative?.drafts ?? 0),
    },
    kvCapacityTokens,
    contextTokens,
    blockTokens,
    clock,
    random: forkRandom(setup.seed ?? 1, "steps"),
    speed: setup.speed ?? 1,
    jitter: setup.jitter ?? DEFAULT_JITTER,
    prefixCache: setup.prefixCache ?? true,
    speculative,
  });
}

function machineOf(setup: EngineSetup): Machine {
  const { tp = 1 } = setup;
  checkRanges(setup);
  const model = findModel(setup.model);
  if (model === null) throw new SetupError(unknownModel(setup.model));
  const gpu = findGpu(setup.gpu ?? "h100");
  if (gpu === null) throw new SetupError(unknownGpu(setup.gpu ?? ""));
  if (![1, 2, 4, 8].includes(tp))
    throw new SetupError(`tensor-parallel degree ${tp} is not supported: choose 1, 2, 4 or 8.`);
  return {
    model,
    weights: setup.weights ?? model.nativeType ?? "bf16",
    kvType: setup.kvType ?? "bf16",
    gpu,
    tp,
    expertParallel: setup.expertParallel === true && tp > 1,
    profile: profileOf(setup),
  };
}

/** Least and most of what a set-up may say otherwise than the engine. */
const RANGES = {
  jitter: [0, 1],
  speed: [0.001, 10_000],
  hostFactor: [0.1, 100],
  apiMs: [0, 60_000],
  sequencesMax: [1, 65_536],
  stepTokensMax: [1, 1_048_576],
  contextTokens: [1, 16_777_216],
  kvCapacityTokens: [1, 1_073_741_824],
} as const satisfies { readonly [Key in keyof EngineSetup]?: readonly [number, number] };

function checkRanges(setup: EngineSetup): void {
  const { drafts = 1, acceptance = 0 } = setup.speculative ?? {};
  const values = [
    ...Object.entries(RANGES).map(
      ([name, range]) => [name, setup[name as keyof typeof RANGES], range] as const,
    ),
    ["speculative.drafts", drafts, [1, 16]] as const,
    ["speculative.acceptance", acceptance, [0, 1]] as const,
  ];
  for (const [name, value, [least, most]] of values)
    if (value !== undefined && !(value >= least && value <= most))
      throw new SetupError(`${name} is ${value}: give a number from ${least} to ${most}.`);
}

/**
 * Tokens of context that fit beside the weights, and the longest sequence taken: as in the start commands of the
 * catalogue it is the model's own unless the cache cannot hold that.
 */
function roomFor(
  setup: EngineSetup,
  machine: Machine,
): { readonly kvCapacityTokens: number; readonly contextTokens: number } {
  const { model, weights, kvType, gpu, tp } = machine;
  const bytes = weightBytes(model, weights);
  const free = cacheBytesOn(setup.persona, gpu, bytes / tp);
  const perToken =
    kvBytesPerToken(model, tp, WEIGHT_BYTES[kvType]) * keptShare(model, setup.hybridCache ?? true);
  const kvCapacityTokens = setup.kvCapacityTokens ?? Math.floor(free / perToken);
  const wanted = setup.contextTokens ?? CONTEXT_TOKENS_MIN;
  if (kvCapacityTokens < Math.min(wanted, model.contextTokens)) {
    const title = `${model.id} (${weights}, ${(bytes / 2 ** 30).toFixed(0)} GiB of weights)`;
    const why =
      kvCapacityTokens < CONTEXT_TOKENS_MIN
        ? ""
        : ` with ${wanted} tokens of context: ${kvCapacityTokens} tokens do`;
    throw new SetupError(`${title} does not fit on ${tp} × ${gpu.title}${why}. ${wayOut(machine)}`);
  }
  // The cache's last block may be a part, and drafts are written before they are judged.
  const spare = BLOCK_TOKENS_MAX + (setup.speculative?.drafts ?? 0);
  const held = kvCapacityTokens - spare;
  const contextTokens = Math.min(model.contextTokens, setup.contextTokens ?? held, held);
  return { kvCapacityTokens, contextTokens };
}

function wayOut({ model, weights, tp }: Machine): string {
  const fp8 = weights === "bf16" && model.nativeType === undefined;
  if (tp === 8) return fp8 ? "Choose --weights fp8." : "Choose a --gpu with more memory.";
  return fp8 ? "Raise --tp or choose --weights fp8." : "Raise --tp.";
}

/** The engine's constants with what the set-up says otherwise. */
function profileOf(setup: EngineSetup): EngineProfile {
  const isSync = setup.persona === "vllm" && setup.asyncScheduling === false;
  const profile = profiles[isSync ? "vllm-sync" : setup.persona];
  const host = setup.hostFactor ?? 1;
  const { fp8 } = profile.gemm;
  return {
    ...profile,
    layerUs: profile.layerUs * host,
    stepMs: profile.stepMs * host,
    sequenceUs: profile.sequenceUs * host,
    launchMs: profile.launchMs * host,
    apiMs: setup.apiMs ?? profile.apiMs * host,
    chatApiMs: setup.apiMs ?? profile.chatApiMs * host,
    gemm:
      setup.tunedFp8 === true ? { ...profile.gemm, fp8: { ...fp8, ...TUNED_FP8 } } : profile.gemm,
  };
}

/** Share of a token's keys and values kept on average when windowed layers keep only their window. */
function keptShare({ window }: Model, hybrid: boolean): number {
  if (window === undefined || !hybrid) return 1;
  return 1 - window.share + window.share * Math.min(1, window.tokens / HYBRID_LENGTH_TOKENS);
}
