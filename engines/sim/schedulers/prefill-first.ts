import type { Sequence } from "../sequence.ts";
import {
  admit,
  type Chunk,
  preempt,
  type Scheduler,
  type SchedulerState,
  type StepPlan,
  takeChunk,
} from "./scheduler.ts";

/** Output tokens beyond which a request's future is not reserved (`SGLANG_CLIP_MAX_NEW_TOKENS_ESTIMATION`). */
const RESERVE_TOKENS_MAX = 4096;
/** Share of the promised output reserved at admission: at start, at least, and how fast it falls (environ.py). */
const RATIO_START = 0.7;
const RATIO_MIN = RATIO_START * 0.14;
const RATIO_STEP = (RATIO_START - RATIO_MIN) / 600;
/** Decode steps for which a retraction makes room (`SGLANG_RETRACT_DECODE_STEPS`). */
const RETRACT_STEPS = 20;

/**
 * Prompts first, as SGLang: if anyone waiting can be admitted the step is a prefill-only batch and decodes stall;
 * otherwise everybody decodes. What is admitted depends on a guess of how long the running will get: it falls with
 * every decode step, and is set anew from what was really generated when memory ran out and some had to go back
 * (python/sglang/srt/managers/schedule_policy.py `PrefillAdder`, scheduler_components/new_token_ratio_tracker.py).
 */
export class PrefillFirst implements Scheduler {
  #ratio = RATIO_START;

  plan(state: SchedulerState): StepPlan {
    if (state.running.length + state.waiting.length === 0) this.#ratio = RATIO_START;
    const chunks = this.#prefill(state);
    if (chunks.length > 0) return { decodes: [], chunks, preempted: 0 };
    const preempted = this.#makeRoom(state);
    const { cache, limits, running } = state;
    for (const { allocation, computed } of running) {
      if (allocation === null) continue;
      while (computed + limits.decodeTokens > allocation.blocks * cache.blockTokens)
        if (!cache.extend(allocation)) break;
    }
    return { decodes: running.slice(), chunks: [], preempted };
  }

  #prefill(state: SchedulerState): Chunk[] {
    const { running, waiting, cache, limits } = state;
    const chunks: Chunk[] = [];
    let budget = limits.stepTokensMax;
    for (const sequence of running) {
      if (budget === 0) break;
      if (!sequence.decoding) budget -= takeChunk(chunks, sequence, budget);
    }
    if (waiting.length === 0 || budget === 0) return chunks;
    let spare = cache.available;
    for (const sequence of running) spare -= futureBlocks(state, sequence, this.#ratio);
    while (budget > 0 && running.length < limits.sequencesMax) {
      const next = waiting[0];
      if (next === undefined) break;
      // The running are guessed at, the one to come is taken at its word (`add_one_req`).
      const wanted = Math.ceil(next.needed / cache.blockTokens) + futureBlocks(state, next, 1);
      if (running.length > 0 && wanted >= spare) break;
      if (!admit(state, next, 0)) break;
      spare -= wanted;
      budget -= takeChunk(chunks, next, budget);
    }
    return chunks;
  }

  /** Sends the least advanced back to the queue until those left can decode on. */
  #makeRoom(state: SchedulerState): number {
    const { running, cache, limits } = state;
    const blocksFor = (steps: number): number =>
      running.reduce((sum, { computed, allocation }) => {
        const wanted = Math.ceil((computed + steps * limits.decodeTokens) / cache.blockTokens);
        return sum + Math.max(0, wanted - (allocation?.blocks ?? 0));
      }, 0);
    const mostPerStep = Math.ceil(limits.decodeTokens / cache.blockTokens) * running.length;
    if (mostPerStep <= cache.available || blocksFor(1) <= cache.available) {
      this.#ratio = Math.max(RATIO_MIN, this.#ratio - RATIO_STEP);
      return 0;
    }
    let preempted = 0;
    while (running.length > 1 && blocksFor(RETRACT_STEPS) > cache.available) {
      preempt(state, running.reduce(lessAdvanced));
      preempted++;
    }
    const generated = running.reduce((sum, one) => sum + one.generated, 0);
    const promised = running.reduce((sum, one) => sum + one.request.outputTokensMax, 0);
    this.#ratio = Math.min(1, (generated + RETRACT_STEPS * running.length) / (promised + 1));
    return preempted;
  }
}

/** Blocks kept for what a sequence may still produce. */
function futureBlocks(
  { cache }: SchedulerState,
  { request, generated }: Sequence,
  ratio: number,
): number {
  const left = Math.min(request.outputTokensMax - generated, RESERVE_TOKENS_MAX);
  return Math.ceil((left * ratio) / cache.blockTokens);
}

function lessAdvanced(a: Sequence, b: Sequence): Sequence {
  return b.generated <= a.generated ? b : a;
}
