import type { Sequence } from "../sequence.ts";
import {
  admit,
  type Chunk,
  type Scheduler,
  type SchedulerState,
  type StepPlan,
  takeChunk,
  wholeOutput,
} from "./scheduler.ts";

/**
 * Slots, as llama.cpp's server: a request takes a free slot with its whole context, so nobody is ever thrown out;
 * each step holds one token of every answering slot and fills the batch with prompt tokens
 * (tools/server/server.cpp, `update_slots`).
 */
export class Slots implements Scheduler {
  plan(state: SchedulerState): StepPlan {
    const { running, limits } = state;
    const decodes: Sequence[] = running.filter((sequence) => sequence.decoding);
    const chunks: Chunk[] = [];
    let budget = limits.stepTokensMax - decodes.length * limits.decodeTokens;
    for (const sequence of running)
      if (!sequence.decoding && budget > 0) budget -= takeChunk(chunks, sequence, budget);
    while (budget > 0 && running.length < limits.sequencesMax) {
      const next = state.waiting[0];
      if (next === undefined || !admit(state, next, wholeOutput(state, next))) break;
      budget -= takeChunk(chunks, next, budget);
    }
    return { decodes, chunks, preempted: 0 };
  }
}
