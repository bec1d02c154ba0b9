import type { Sequence } from "../sequence.ts";
import {
  admit,
  type Chunk,
  grow,
  type Scheduler,
  type SchedulerState,
  type StepPlan,
  takeChunk,
} from "./scheduler.ts";

/**
 * One token budget a step, as vLLM V1: running requests first (a decode each, or the next chunk of a prompt),
 * then waiting ones in order of arrival while budget, seats and blocks last. A step that preempted admits nobody
 * (vllm/v1/core/sched/scheduler.py, `schedule`).
 */
export class Unified implements Scheduler {
  plan(state: SchedulerState): StepPlan {
    const { running, limits } = state;
    const decodes: Sequence[] = [];
    const chunks: Chunk[] = [];
    let budget = limits.stepTokensMax;
    let preempted = 0;
    // Preemption takes from the end, so everyone planned so far stays.
    for (let index = 0; index < running.length && budget > 0; index++) {
      const sequence = running[index];
      if (sequence === undefined) break;
      if (!sequence.decoding) {
        budget -= takeChunk(chunks, sequence, budget);
        continue;
      }
      preempted += grow(state, sequence);
      if (sequence.allocation === null) break;
      decodes.push(sequence);
      budget -= limits.decodeTokens;
    }
    if (preempted === 0) admitWaiting(state, chunks, budget);
    return { decodes, chunks, preempted };
  }
}

function admitWaiting(state: SchedulerState, chunks: Chunk[], budgetLeft: number): void {
  let budget = budgetLeft;
  while (budget > 0 && state.running.length < state.limits.sequencesMax) {
    const next = state.waiting[0];
    if (next === undefined || !admit(state, next, 0)) return;
    budget -= takeChunk(chunks, next, budget);
  }
}
