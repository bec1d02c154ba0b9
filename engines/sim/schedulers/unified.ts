import type { Sequence } from "../sequence.ts";
import { admit, grow, type Scheduler, type SchedulerState, type StepPlan } from "./scheduler.ts";

/**
 * One token budget a step, as vLLM V1: running requests first (a decode each, or the next chunk of a prompt),
 * then waiting ones in order of arrival while budget, seats and blocks last. A step that preempted admits nobody
 * (vllm/v1/core/sched/scheduler.py, `schedule`).
 */
export const unified: Scheduler = {
  plan(state) {
    const chunks: { sequence: Sequence; tokens: number }[] = [];
    const decodes: Sequence[] = [];
    let budget = state.limits.stepTokensMax;
    let preempted = 0;
    for (const sequence of state.running.slice()) {
      if (budget === 0) break;
      if (sequence.allocation === null) continue;
      if (sequence.decoding) {
        const grown = grow(state, sequence);
        preempted += Math.abs(grown);
        if (grown < 0) continue;
        decodes.push(sequence);
        budget--;
      } else {
        budget -= takeChunk(chunks, sequence, budget);
      }
    }
    const kept = decodes.filter((sequence) => sequence.allocation !== null);
    const keptChunks = chunks.filter(({ sequence }) => sequence.allocation !== null);
    if (preempted === 0) admitWaiting(state, keptChunks, budget);
    return { decodes: kept, chunks: keptChunks, preempted } satisfies StepPlan;
  },
};

function admitWaiting(
  state: SchedulerState,
  chunks: { sequence: Sequence; tokens: number }[],
  budgetLeft: number,
): void {
  let budget = budgetLeft;
  while (budget > 0 && state.running.length < state.limits.sequencesMax) {
    const next = state.waiting[0];
    if (next === undefined || !admit(state, next, 0)) return;
    state.waiting.shift();
    state.running.push(next);
    budget -= takeChunk(chunks, next, budget);
  }
}

function takeChunk(
  chunks: { sequence: Sequence; tokens: number }[],
  sequence: Sequence,
  budget: number,
): number {
  const tokens = Math.min(sequence.needed - sequence.computed, budget);
  if (tokens > 0) chunks.push({ sequence, tokens });
  return tokens;
}
