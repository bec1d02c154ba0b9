import type { Sequence } from "../sequence.ts";
import {
  admit,
  type Chunk,
  type Scheduler,
  type SchedulerState,
  type StepPlan,
  wholeOutput,
} from "./scheduler.ts";

/**
 * In-flight batching with guaranteed completion, as TensorRT-LLM: a request starts only when blocks for its prompt
 * and its whole allowed output are to be had, so it is never paused; whole prompts and decodes share a step
 * (capacity policy GUARANTEED_NO_EVICT, chunked context off: tensorrt_llm/llmapi/llm_args.py).
 */
export class NoEviction implements Scheduler {
  plan(state: SchedulerState): StepPlan {
    const { running, waiting, limits } = state;
    const decodes: Sequence[] = running.slice();
    const chunks: Chunk[] = [];
    let budget = limits.stepTokensMax - decodes.length * limits.decodeTokens;
    while (running.length < limits.sequencesMax) {
      const next = waiting[0];
      if (next === undefined) break;
      // A prompt longer than the budget would never fit: it goes alone.
      const fits =
        next.needed <= budget || (chunks.length === 0 && next.needed > limits.stepTokensMax);
      if (!fits || !admit(state, next, wholeOutput(state, next))) break;
      const tokens = next.needed - next.computed;
      chunks.push({ sequence: next, tokens });
      budget -= tokens;
    }
    return { decodes, chunks, preempted: 0 };
  }
}
