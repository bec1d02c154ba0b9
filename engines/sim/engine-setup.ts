import { findGpu, gpus } from "../catalog/gpus.ts";
import {
  findModel,
  kvBytesPerToken,
  models,
  weightBytes,
  type WeightType,
} from "../catalog/models.ts";
import type { Clock } from "../clock.ts";
import { forkRandom } from "../random.ts";
import { EngineCore } from "./engine-core.ts";
import { type Persona, profiles } from "./profiles.ts";
import { noEviction } from "./schedulers/no-eviction.ts";
import { prefillFirst } from "./schedulers/prefill-first.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";
import { unified } from "./schedulers/unified.ts";

/** Which engine on which cards. Everything but persona and model has the engine's own default. */
export interface EngineSetup {
  readonly persona: Persona;
  readonly model: string;
  readonly gpu?: string;
  readonly tp?: number;
  readonly weights?: WeightType;
  readonly seed?: number;
  readonly speed?: number;
  /** Relative spread of step times; 0.02 unless given. */
  readonly jitter?: number;
  readonly sequencesMax?: number;
  readonly stepTokensMax?: number;
  readonly kvCapacityTokens?: number;
  /** Keeps finished prompts' blocks for reuse; on unless told otherwise, as in all four engines. */
  readonly prefixCache?: boolean;
}

/** A set-up the simulator cannot run, in one sentence that says what to change. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** Scheduler and limits an engine has out of the box on an 80 GB card. */
interface Defaults {
  readonly scheduler: Scheduler;
  readonly sequencesMax: number;
  readonly stepTokensMax: number;
  readonly blockTokens: number;
  /** Bytes the engine takes for weights and cache, of what the card has. */
  readonly memoryShare: number;
  /** The share is of what weights leave free, not of the whole. */
  readonly shareAfterWeights: boolean;
}

/** Sources: vllm/engine/arg_utils.py, sglang/srt/server_args.py, tensorrt_llm/llmapi/llm_args.py, llama.cpp common/common.h. */
const DEFAULTS: Readonly<Record<Persona, Defaults>> = {
  vllm: {
    scheduler: unified,
    sequencesMax: 1024,
    stepTokensMax: 8192,
    blockTokens: 16,
    memoryShare: 0.92,
    shareAfterWeights: false,
  },
  sglang: {
    scheduler: prefillFirst,
    sequencesMax: 2048,
    stepTokensMax: 8192,
    blockTokens: 1,
    memoryShare: 0.87,
    shareAfterWeights: false,
  },
  "tensorrt-llm": {
    scheduler: noEviction,
    sequencesMax: 2048,
    stepTokensMax: 8192,
    blockTokens: 32,
    memoryShare: 0.9,
    shareAfterWeights: true,
  },
  "llama.cpp": {
    scheduler: unified,
    sequencesMax: 4,
    stepTokensMax: 2048,
    blockTokens: 32,
    memoryShare: 0.8,
    shareAfterWeights: false,
  },
};

/** Activations, graphs and workspace of one card; fits the capacities engines print at start. */
const WORKSPACE_BYTES = 3e9;
const DEFAULT_JITTER = 0.02;
/** SGLang pages by token; blocks of 16 find the same prefixes to within 15 tokens at a sixteenth of the book-keeping. */
const BLOCK_TOKENS_MIN = 16;

/**
 * Builds the engine core of a set-up.
 * @throws {SetupError} for an unknown model or GPU, a degree that does not divide the heads, or a model that does not fit.
 */
export function buildCore(setup: EngineSetup, clock: Clock): EngineCore {
  const { persona, tp = 1, seed = 1, speed = 1 } = setup;
  const model = findModel(setup.model);
  if (model === null)
    throw new SetupError(
      `model "${setup.model}" is not in the catalogue: try one of ${models
        .slice(0, 4)
        .map((known) => known.id)
        .join(", ")} …`,
    );
  const gpu = findGpu(setup.gpu ?? "h100");
  if (gpu === null)
    throw new SetupError(
      `GPU "${setup.gpu}" is not known: choose ${Object.keys(gpus).join(", ")}.`,
    );
  if (![1, 2, 4, 8].includes(tp))
    throw new SetupError(`tensor-parallel degree ${tp} is not supported: choose 1, 2, 4 or 8.`);
  const defaults = DEFAULTS[persona];
  const weights = setup.weights ?? model.nativeType ?? "bf16";
  const weightShare = weightBytes(model, weights) / tp;
  const free = defaults.shareAfterWeights
    ? (gpu.memoryBytes - weightShare - WORKSPACE_BYTES) * defaults.memoryShare
    : gpu.memoryBytes * defaults.memoryShare - weightShare - WORKSPACE_BYTES;
  const kvCapacityTokens = setup.kvCapacityTokens ?? Math.floor(free / kvBytesPerToken(model, tp));
  if (kvCapacityTokens < 1024) {
    const gib = (weightBytes(model, weights) / 2 ** 30).toFixed(0);
    throw new SetupError(
      `${model.id} (${weights}, ${gib} GiB of weights) does not fit on ${tp} × ${gpu.title}: raise --tp or choose fp8.`,
    );
  }
  return new EngineCore({
    machine: { model, weights, gpu, tp, profile: profiles[persona] },
    scheduler: defaults.scheduler,
    limits: {
      sequencesMax: setup.sequencesMax ?? defaults.sequencesMax,
      stepTokensMax: setup.stepTokensMax ?? defaults.stepTokensMax,
    },
    kvCapacityTokens,
    blockTokens: Math.max(defaults.blockTokens, BLOCK_TOKENS_MIN),
    clock,
    random: forkRandom(seed, "steps"),
    speed,
    jitter: setup.jitter ?? DEFAULT_JITTER,
  });
}
