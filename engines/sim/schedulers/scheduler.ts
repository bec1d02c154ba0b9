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
  /** Tokens a decoding sequence may gain in one step: 1, and with speculation one more per draft. */
  readonly decodeTokens: number;
}

/** The next tokens of one prompt. */
export interface Chunk {
  readonly sequence: Sequence;
  readonly tokens: number;
}

/** The work of one step. */
export interface StepPlan {
  readonly decodes: readonly Sequence[];
  readonly chunks: readonly Chunk[];
  /** Sequences thrown out of the batch to make room; they will be computed again. */
  readonly preempted: number;
}

/** Chooses the work of the next step; one instance per engine. The same calls give the same plans. */
export interface Scheduler {
  plan(state: SchedulerState): StepPlan;
}

/** Gives a waiting sequence its blocks and a place in the batch; false when the blocks are not to be had. */
export function admit(state: SchedulerState, sequence: Sequence, reserveTokens: number): boolean {
  const allocation = state.cache.allocate(sequence.hashes, sequence.needed + reserveTokens);
  if (allocation === null) return false;
  sequence.allocation = allocation;
  sequence.computed = Math.min(allocation.cachedTokens, sequence.needed - 1);
  if (sequence.preemptions === 0) sequence.cachedTokens = sequence.computed;
  state.waiting.shift();
  state.running.push(sequence);
  return true;
}

/** Tokens to set aside so that a sequence can never run out: all it may still produce, as far as the cache goes. */
export function wholeOutput({ cache, limits }: SchedulerState, sequence: Sequence): number {
  const left = sequence.request.outputTokensMax - sequence.generated + limits.decodeTokens - 1;
  return Math.min(left, cache.blocks * cache.blockTokens - sequence.needed);
}

/**
 * Room for the next tokens of a decoding sequence; when the cache is full the youngest of the batch are thrown out,
 * at last the sequence itself. Returns how many had to go.
 */
export function grow(state: SchedulerState, sequence: Sequence): number {
  const { cache, limits } = state;
  const { allocation } = sequence;
  if (allocation === null) return 0;
  let preempted = 0;
  while (sequence.computed + limits.decodeTokens > allocation.blocks * cache.blockTokens) {
    if (cache.extend(allocation)) continue;
    const victim = state.running.at(-1);
    if (victim === undefined) break;
    preempt(state, victim);
    preempted++;
    if (victim === sequence) break;
  }
  return preempted;
}

/** Throws one out of the batch: blocks freed, to the front of the queue, outputs kept, cache computed again. */
export function preempt(state: SchedulerState, victim: Sequence): void {
  state.running.splice(state.running.lastIndexOf(victim), 1);
  if (victim.allocation !== null) state.cache.release(victim.allocation);
  victim.allocation = null;
  victim.computed = 0;
  victim.preemptions++;
  state.waiting.unshift(victim);
}

/** Takes as much of a prompt into the step as its budget allows; returns the tokens taken. */
export function takeChunk(chunks: Chunk[], sequence: Sequence, budget: number): number {
  const tokens = Math.min(sequence.needed - sequence.computed, budget);
  if (tokens > 0) chunks.push({ sequence, tokens });
  return tokens;
}
