import type { Cancel } from "../clock.ts";
import type { CoreOptions } from "./core-options.ts";
import { disturbed } from "./jitter.ts";
import { blockHashes, KvCache } from "./kv-cache.ts";
import type { SchedulerState, StepPlan } from "./schedulers/scheduler.ts";
import { Sequence, type SimRequest, type SimSink } from "./sequence.ts";
import { tokensGained } from "./speculation.ts";
import { stepTimeMs } from "./step-time.ts";

/** A request inside the engine, from outside. */
export interface Submitted {
  /** Takes it out; the batch goes on without it. Harmless once it ended. */
  readonly abort: Cancel;
  /** Prompt tokens found in the prefix cache, once it was admitted. */
  readonly cachedTokens: () => number;
  /** When its first step began; `null` while it waits. */
  readonly scheduledMs: () => number | null;
}

/** One step that was done: what engines count per iteration. */
export interface StepReport {
  readonly atMs: number;
  readonly durationMs: number;
  readonly prefillTokens: number;
  /** Sequences whose prompt was worked on, and sequences that decoded. */
  readonly prompts: number;
  readonly decodes: number;
}

/** Counters since start and gauges of now, from which each persona writes its metrics. */
export interface CoreStats {
  running: number;
  waiting: number;
  kvUsage: number;
  received: number;
  finished: number;
  aborted: number;
  preemptions: number;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Tokens a draft model proposed, and those of them the model agreed with. */
  draftedTokens: number;
  acceptedTokens: number;
  queryTokens: number;
  hitTokens: number;
  steps: number;
  busyMs: number;
  /** How late the machine's timers made the last step, and the worst so far: above a few ms the simulation is the limit. */
  lagMs: number;
  lagMsMax: number;
}

/** Steps worked off in one turn when the machine fell behind: then others get a turn. */
const STEPS_PER_TURN_MAX = 64;
/** Timers count whole milliseconds and may ring a fraction early: a step this close to its end is over. */
const EARLY_MS = 0.5;

/**
 * The engine's loop: plan a step, let its modelled time pass on the clock, hand out its tokens, repeat. The same code runs
 * in virtual time for an hour's traffic in seconds and in real time behind HTTP. A step's end is planned from the
 * planned end of the step before, so timer lateness does not add up.
 */
export class EngineCore {
  readonly options: CoreOptions;
  readonly cache: KvCache;
  /** Multiplies step times: a replica that has become slow. */
  slowdown = 1;
  /** No step begins while true: a hung engine. */
  paused = false;
  /** Told after each step, when its tokens are out. */
  onStep: ((step: StepReport) => void) | null = null;
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = [];
  readonly #stats = {
    received: 0,
    finished: 0,
    aborted: 0,
    preemptions: 0,
    promptTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    draftedTokens: 0,
    acceptedTokens: 0,
    steps: 0,
    busyMs: 0,
    lagMs: 0,
    lagMsMax: 0,
  };
  readonly #schedulerState: SchedulerState;
  #plan: StepPlan | null = null;
  #stepEndsMs = 0;
  #stepMs = 0;
  #cancel: Cancel | null = null;

  constructor(options: CoreOptions) {
    this.options = options;
    this.cache = new KvCache(options.kvCapacityTokens, options.blockTokens);
    this.#schedulerState = {
      waiting: this.#waiting,
      running: this.#running,
      cache: this.cache,
      limits: options.limits,
    };
  }

  /** Puts a request into the engine. */
  submit(request: SimRequest, sink: SimSink): Submitted {
    const { clock, speed, blockTokens, prefixCache, contextTokens } = this.options;
    const hashes = prefixCache ? blockHashes(request.promptIds, blockTokens) : [];
    const sequence = new Sequence(request, sink, clock.nowMs(), hashes);
    this.#stats.received++;
    const dueMs = clock.nowMs() + request.apiMs / speed;
    const arrive = (): void => {
      if (sequence.gone) return;
      const earlyMs = dueMs - clock.nowMs();
      if (earlyMs > EARLY_MS) cancelArrival = clock.schedule(earlyMs, arrive);
      else if (sequence.promptTokens + request.outputTokens > contextTokens) this.#refuse(sequence);
      else {
        this.#waiting.push(sequence);
        this.#wake();
      }
    };
    let cancelArrival = clock.schedule(request.apiMs / speed, arrive);
    return {
      abort: () => {
        if (sequence.gone) return;
        cancelArrival();
        this.#stats.aborted++;
        this.#leave(sequence);
      },
      cachedTokens: () => sequence.cachedTokens,
      scheduledMs: () => sequence.scheduledMs,
    };
  }

  stats(): CoreStats {
    return {
      ...this.#stats,
      running: this.#running.length,
      waiting: this.#waiting.length,
      kvUsage: this.cache.usage,
      queryTokens: this.cache.queryTokens,
      hitTokens: this.cache.hitTokens,
    };
  }

  /** Fails everything inside and stops the loop. */
  stop(reason: string): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#plan = null;
    for (const sequence of [...this.#running, ...this.#waiting]) {
      this.#leave(sequence);
      sequence.sink.failed(reason);
    }
  }

  resume(): void {
    this.paused = false;
    this.#wake();
  }

  #wake(): void {
    if (this.#plan !== null || this.#cancel !== null) return;
    const { clock } = this.options;
    this.#stepEndsMs = clock.nowMs();
    this.#begin();
    if (this.#plan !== null)
      this.#cancel = clock.schedule(this.#stepEndsMs - clock.nowMs(), this.#turn);
  }

  /** Plans the next step; goes idle when there is nothing to do. */
  #begin(): void {
    this.#plan = null;
    if (this.paused) return;
    const { scheduler, speed } = this.options;
    const plan = scheduler.plan(this.#schedulerState);
    this.#stats.preemptions += plan.preempted;
    if (plan.decodes.length === 0 && plan.chunks.length === 0) return;
    const durationMs = (this.#durationMs(plan) * this.slowdown) / speed;
    for (const { sequence } of plan.chunks) {
      if (sequence.scheduledMs !== null) continue;
      sequence.scheduledMs = this.#stepEndsMs;
      sequence.sink.scheduled?.(this.#stepEndsMs);
    }
    this.#plan = plan;
    this.#stepMs = durationMs;
    this.#stepEndsMs += durationMs;
    this.#stats.steps++;
    this.#stats.busyMs += durationMs;
  }

  readonly #turn = (): void => {
    const { clock } = this.options;
    this.#cancel = null;
    const nowMs = clock.nowMs();
    this.#stats.lagMs = Math.max(0, nowMs - this.#stepEndsMs);
    this.#stats.lagMsMax = Math.max(this.#stats.lagMsMax, this.#stats.lagMs);
    for (let steps = 0; this.#plan !== null; steps++) {
      if (this.#stepEndsMs > nowMs + EARLY_MS || steps === STEPS_PER_TURN_MAX) break;
      this.#complete(this.#plan, this.#stepEndsMs);
      this.#begin();
    }
    if (this.#plan !== null) this.#cancel = clock.schedule(this.#stepEndsMs - nowMs, this.#turn);
  };

  #durationMs(plan: StepPlan): number {
    const { machine, jitter, limits, random } = this.options;
    let decodeContext = 0;
    for (const sequence of plan.decodes) decodeContext += sequence.computed;
    let firsts = 0;
    const chunks = plan.chunks.map(({ sequence, tokens }) => {
      if (sequence.computed + tokens >= sequence.needed) firsts++;
      return { tokens, cached: sequence.computed };
    });
    const ms = stepTimeMs(machine, {
      decodes: plan.decodes.length,
      decodeTokens: limits.decodeTokens,
      decodeContext,
      chunks,
      firsts,
    });
    return disturbed(ms, jitter, random);
  }

  #complete(plan: StepPlan, atMs: number): void {
    for (const { sequence, tokens } of plan.chunks) {
      if (sequence.gone || sequence.allocation === null) continue;
      sequence.computed += tokens;
      sequence.sink.prefilled?.(sequence.computed, atMs);
      if (sequence.computed < sequence.needed) continue;
      if (sequence.generated === 0) {
        this.#stats.promptTokens += sequence.promptTokens;
        this.#stats.cachedTokens += sequence.cachedTokens;
      }
      this.#produce(sequence, 1, atMs);
    }
    const { speculative, random } = this.options;
    for (const sequence of plan.decodes) {
      if (sequence.gone || sequence.allocation === null) continue;
      const gained = speculative === null ? 1 : tokensGained(speculative, random);
      if (speculative !== null) {
        this.#stats.draftedTokens += speculative.drafts;
        this.#stats.acceptedTokens += gained - 1;
      }
      const count = Math.min(gained, sequence.request.outputTokens - sequence.generated);
      sequence.computed += count;
      this.#produce(sequence, count, atMs);
    }
    this.onStep?.({
      atMs,
      durationMs: this.#stepMs,
      prefillTokens: plan.chunks.reduce((sum, { tokens }) => sum + tokens, 0),
      prompts: plan.chunks.length,
      decodes: plan.decodes.length,
    });
  }

  #produce(sequence: Sequence, count: number, atMs: number): void {
    sequence.generated += count;
    this.#stats.outputTokens += count;
    sequence.sink.tokens(count, sequence.generated, atMs);
    if (sequence.generated < sequence.request.outputTokens || sequence.gone) return;
    this.#stats.finished++;
    this.#leave(sequence);
    sequence.sink.finished(atMs);
  }

  /** It could never end, and would hold up everybody behind it. */
  #refuse(sequence: Sequence): void {
    const { contextTokens } = this.options;
    this.#leave(sequence);
    sequence.sink.failed(
      `the request is longer than the engine's ${contextTokens} tokens of context`,
    );
  }

  #leave(sequence: Sequence): void {
    sequence.gone = true;
    if (sequence.allocation !== null) this.cache.release(sequence.allocation);
    sequence.allocation = null;
    remove(this.#running, sequence);
    remove(this.#waiting, sequence);
  }
}

function remove(list: Sequence[], sequence: Sequence): void {
  const index = list.indexOf(sequence);
  if (index !== -1) list.splice(index, 1);
}
