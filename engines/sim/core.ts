import { findGpu } from "../catalog/gpus.ts";
import { findModel, weightBytes } from "../catalog/models.ts";
import type { Clock } from "../clock.ts";
import { buildCore, type EngineSetup, SetupError } from "./engine-setup.ts";
import type { EngineCore } from "./engine-core.ts";
import type { Allocation, KvCache } from "./kv-cache.ts";
import { ScriptedCore, type ScriptedTiming } from "./scripted-core.ts";

/** What the HTTP side asks of an engine's loop, modelled or scripted. */
export type Core = Pick<
  EngineCore,
  "submit" | "stats" | "stop" | "resume" | "slowdown" | "paused" | "onStep"
>;

/** Sizes and titles the engine tells of itself. */
export interface CoreFacts {
  readonly contextTokens: number;
  readonly kvBlocks: number;
  readonly blockTokens: number;
  readonly sequencesMax: number;
  readonly stepTokensMax: number;
  readonly weightBytes: number;
  readonly gpu: string;
  /** Tokens a draft model proposes a step; 0 without one. */
  readonly drafts: number;
  readonly apiMs: number;
  readonly chatApiMs: number;
}

/** The engine's cache as a fault and an operator can reach it. */
export interface Memory {
  /** Takes all blocks but so many for nobody; `null` gives them back. */
  fill(leaveBlocks: number | null): void;
  /** Forgets every prefix nobody uses. */
  forget(): void;
}

export interface BuiltCore {
  readonly core: Core;
  readonly facts: CoreFacts;
  readonly memory: Memory;
}

/** Context of a model the catalogue does not know, under scripted timing. */
const CONTEXT_DEFAULT = 131_072;
/** Blocks a scripted engine says it has: it holds nothing in them. */
const SCRIPTED_BLOCKS = 16_384;
const SCRIPTED_BLOCK_TOKENS = 16;

/**
 * Builds the loop of an engine: the hardware model, or a script of known times.
 * @throws {SetupError}
 */
export function buildEngine(
  setup: EngineSetup & { readonly scripted?: ScriptedTiming | null },
  clock: Clock,
): BuiltCore {
  return setup.scripted === undefined || setup.scripted === null
    ? modelled(setup, clock)
    : scripted(setup, setup.scripted, clock);
}

function modelled(setup: EngineSetup, clock: Clock): BuiltCore {
  const core = buildCore(setup, clock);
  const { machine, limits } = core.options;
  return {
    core,
    facts: {
      contextTokens: core.options.contextTokens,
      kvBlocks: core.cache.blocks,
      blockTokens: core.cache.blockTokens,
      ...limits,
      weightBytes: weightBytes(machine.model, machine.weights) / machine.tp,
      gpu: machine.gpu.title,
      drafts: core.options.speculative?.drafts ?? 0,
      apiMs: machine.profile.apiMs,
      chatApiMs: machine.profile.chatApiMs,
    },
    memory: new SeizableMemory(core.cache),
  };
}

function scripted(setup: EngineSetup, timing: ScriptedTiming, clock: Clock): BuiltCore {
  const model = findModel(setup.model);
  const gpu = findGpu(setup.gpu ?? "h100");
  if (gpu === null) throw new SetupError(`GPU "${setup.gpu}" is not known.`);
  const weights = setup.weights ?? model?.nativeType ?? "bf16";
  return {
    core: new ScriptedCore({ timing, clock, speed: setup.speed ?? 1 }),
    facts: {
      contextTokens: model?.contextTokens ?? CONTEXT_DEFAULT,
      kvBlocks: SCRIPTED_BLOCKS,
      blockTokens: SCRIPTED_BLOCK_TOKENS,
      sequencesMax: setup.sequencesMax ?? 1024,
      stepTokensMax: setup.stepTokensMax ?? 8192,
      weightBytes: model === null ? 0 : weightBytes(model, weights) / (setup.tp ?? 1),
      gpu: gpu.title,
      drafts: 0,
      // A scripted answer takes what the script says and nothing more.
      apiMs: 0,
      chatApiMs: 0,
    },
    memory: { fill: () => {}, forget: () => {} },
  };
}

class SeizableMemory implements Memory {
  readonly #cache: KvCache;
  #seized: Allocation | null = null;

  constructor(cache: KvCache) {
    this.#cache = cache;
  }

  fill(leaveBlocks: number | null): void {
    if (this.#seized !== null) this.#cache.release(this.#seized);
    this.#seized = null;
    if (leaveBlocks === null) return;
    const wanted = this.#cache.available - leaveBlocks;
    if (wanted <= 0) return;
    const { queryTokens } = this.#cache;
    this.#seized = this.#cache.allocate([], wanted * this.#cache.blockTokens);
    // Nobody asked for these tokens: hit rates are of requests.
    this.#cache.queryTokens = queryTokens;
  }

  forget(): void {
    this.#cache.clearIdle();
  }
}
