import type { Sequence } from "../sequence.ts";
import { admit, type Scheduler, type StepPlan } from "./scheduler.ts";

/**
 * In-flight batching with guaranteed completion, as TensorRT-LLM: a request starts only when blocks for its prompt
 * and its whole allowed output are to be had, so it is never paused; whole prompts and decodes share a step
 * (capacity policy GUARANTEED_NO_EVICT, chunked context off).
 */
export const noEviction: Scheduler = {
  plan(state) {
    const decodes = state.running.filter((sequence) => sequence.decoding);
    const chunks: { sequence: Sequence; tokens: number }[] = [];
    let budget = state.limits.stepTokensMax - decodes.length;
    while (state.running.length < state.limits.sequencesMax) {
      const next = state.waiting[0];
      if (next === undefined) break;
      // A prompt longer than the budget would never fit: it goes alone.
      const fits =
        next.needed <= budget || (chunks.length === 0 && next.needed > state.limits.stepTokensMax);
      if (!fits || !admit(state, next, next.request.outputTokensMax)) break;
      state.waiting.shift();
      state.running.push(next);
      const tokens = next.needed - next.computed;
      chunks.push({ sequence: next, tokens });
      budget -= tokens;
    }
    return { decodes, chunks, preempted: 0 } satisfies StepPlan;
  },
};
