import type { KvCache } from "../kv-cache.ts";
import type { Sequence } from "../sequence.ts";

/** What a scheduler works with. It owns the order of both lists. */
export interface SchedulerState {
  readonly waiting: Sequence[];
  readonly running: Sequence[];
  readonly cache: KvCache;
  readonly limits: SchedulerLimits;
}

export interface SchedulerLimits {
  /** Sequences in a batch at most. */
  readonly sequencesMax: number;
  /** Tokens in a step at most. */
  readonly stepTokensMax: number;
}

/** The work of one step. */
export interface StepPlan {
  readonly decodes: readonly Sequence[];
  readonly chunks: readonly { readonly sequence: Sequence; readonly tokens: number }[];
  /** Sequences thrown out of the batch to make room; they will be computed again. */
  readonly preempted: number;
}

/** Chooses the work of the next step. One per engine family; equal state gives equal plans. */
export interface Scheduler {
  plan(state: SchedulerState): StepPlan;
}

/** Gives a waiting sequence its blocks; false when they are not to be had. */
export function admit(state: SchedulerState, sequence: Sequence, reserveTokens: number): boolean {
  const allocation = state.cache.allocate(sequence.hashes, sequence.needed + reserveTokens);
  if (allocation === null) return false;
  sequence.allocation = allocation;
  sequence.computed = Math.min(allocation.cachedTokens, sequence.needed - 1);
  if (sequence.preemptions === 0) sequence.cachedTokens = sequence.computed;
  return true;
}

/** Room for one more token of a decoding sequence, preempting the youngest when the cache is full. Counts preemptions; -1 when it had to go itself. */
export function grow(state: SchedulerState, sequence: Sequence): number {
  const { cache } = state;
  const { allocation } = sequence;
  if (allocation === null) return -1;
  const held = (allocation.ownBlocks + allocation.hashes.length) * cache.blockTokens;
  if (sequence.computed + 1 <= held) return 0;
  for (let preempted = 0; ; preempted++) {
    if (cache.extend(allocation)) return preempted;
    const victim = state.running.at(-1);
    if (victim === undefined) return -1;
    preempt(state, victim);
    if (victim === sequence) return -1;
  }
}

/** Throws the last of the batch out: blocks freed, back to the front of the queue, outputs kept, cache recomputed. */
function preempt(state: SchedulerState, victim: Sequence): void {
  state.running.splice(state.running.indexOf(victim), 1);
  if (victim.allocation !== null) state.cache.release(victim.allocation);
  victim.allocation = null;
  victim.computed = 0;
  victim.preemptions++;
  state.waiting.unshift(victim);
}
