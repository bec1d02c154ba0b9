import type { Sequence } from "../sequence.ts";
import { admit, grow, type Scheduler, type SchedulerState, type StepPlan } from "./scheduler.ts";

/** Output tokens beyond which a request's future is not reserved (SGLang `CLIP_MAX_NEW_TOKENS`). */
const RESERVE_TOKENS_MAX = 4096;
/** Share of the promised output reserved at admission: what the ratio decays to in steady state (environ.py). */
const RESERVE_RATIO = 0.098;

/**
 * Prompts first, as SGLang: if anyone waiting can be admitted the step is a prefill-only batch and decodes stall;
 * otherwise everybody decodes (python/sglang/srt/managers/schedule_policy.py, `PrefillAdder`).
 */
export const prefillFirst: Scheduler = {
  plan(state) {
    const chunks = prefillBatch(state);
    if (chunks.length > 0) return { decodes: [], chunks, preempted: 0 } satisfies StepPlan;
    let preempted = 0;
    const decodes: Sequence[] = [];
    for (const sequence of state.running.slice()) {
      if (sequence.allocation === null) continue;
      const grown = grow(state, sequence);
      preempted += Math.abs(grown);
      if (grown >= 0) decodes.push(sequence);
    }
    return { decodes: decodes.filter((one) => one.allocation !== null), chunks: [], preempted };
  },
};

function prefillBatch(state: SchedulerState): { sequence: Sequence; tokens: number }[] {
  const chunks: { sequence: Sequence; tokens: number }[] = [];
  let budget = state.limits.stepTokensMax;
  for (const sequence of state.running) {
    if (sequence.decoding || budget === 0) continue;
    const tokens = Math.min(sequence.needed - sequence.computed, budget);
    chunks.push({ sequence, tokens });
    budget -= tokens;
  }
  const reserved = state.running.reduce((sum, sequence) => sum + futureBlocks(state, sequence), 0);
  let spare = state.cache.available - reserved;
  while (budget > 0 && state.running.length < state.limits.sequencesMax) {
    const next = state.waiting[0];
    if (next === undefined) break;
    const wanted = Math.ceil(next.needed / state.cache.blockTokens) + futureBlocks(state, next);
    const alone = state.running.length === 0;
    if (!alone && wanted > spare) break;
    if (!admit(state, next, 0)) break;
    state.waiting.shift();
    state.running.push(next);
    spare -= wanted;
    const tokens = Math.min(next.needed - next.computed, budget);
    chunks.push({ sequence: next, tokens });
    budget -= tokens;
  }
  return chunks;
}

function futureBlocks(state: SchedulerState, sequence: Sequence): number {
  const left = sequence.request.outputTokensMax - sequence.generated;
  const reserve = Math.min(left, RESERVE_TOKENS_MAX) * RESERVE_RATIO;
  return Math.ceil(reserve / state.cache.blockTokens);
}
