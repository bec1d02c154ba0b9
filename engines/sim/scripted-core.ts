import type { Cancel, Clock } from "../clock.ts";
import type { CoreStats, StepReport, Submitted } from "./engine-core.ts";
import type { SimRequest, SimSink } from "./sequence.ts";

/** Times an engine is made to keep, exactly. */
export interface ScriptedTiming {
  /** From a request's start of service to its first token. */
  readonly ttftMs: number;
  /** Between two tokens of a request. */
  readonly itlMs: number;
  /** Requests begun per second at most; the others wait their turn. `null` for no bound. */
  readonly ratePerSecond: number | null;
}

interface Job {
  readonly request: SimRequest;
  readonly sink: SimSink;
  /** When it leaves the queue. */
  startMs: number;
  started: boolean;
  generated: number;
  gone: boolean;
  cancel: Cancel;
}

/**
 * An engine loop that keeps a script instead of a model: every request gets its first token after a fixed time and
 * the others at a fixed distance, whoever else is there; a bound on the rate makes a queue of known capacity. What a
 * sweep must find behind it is known beforehand.
 */
export class ScriptedCore {
  slowdown = 1;
  onStep: ((step: StepReport) => void) | null = null;
  readonly #timing: ScriptedTiming;
  readonly #clock: Clock;
  readonly #speed: number;
  readonly #jobs = new Set<Job>();
  #paused = false;
  #nextStartMs = 0;
  readonly #stats = {
    received: 0,
    finished: 0,
    aborted: 0,
    promptTokens: 0,
    outputTokens: 0,
    steps: 0,
    busyMs: 0,
    lagMs: 0,
    lagMsMax: 0,
  };

  constructor(options: {
    readonly timing: ScriptedTiming;
    readonly clock: Clock;
    readonly speed: number;
  }) {
    this.#timing = options.timing;
    this.#clock = options.clock;
    this.#speed = options.speed;
  }

  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    if (paused) for (const job of this.#jobs) job.cancel();
  }

  submit(request: SimRequest, sink: SimSink): Submitted {
    const { ratePerSecond } = this.#timing;
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(nowMs, this.#nextStartMs);
    if (ratePerSecond !== null) this.#nextStartMs = startMs + this.#real(1000 / ratePerSecond);
    const job: Job = {
      request,
      sink,
      startMs,
      started: false,
      generated: 0,
      gone: false,
      cancel: () => {},
    };
    this.#stats.received++;
    this.#jobs.add(job);
    if (!this.#paused) this.#schedule(job, startMs);
    return {
      abort: () => {
        if (job.gone) return;
        this.#stats.aborted++;
        this.#leave(job);
      },
      cachedTokens: () => 0,
      scheduledMs: () => (job.started ? job.startMs : null),
    };
  }

  stats(): CoreStats {
    let running = 0;
    for (const job of this.#jobs) if (job.started) running++;
    return {
      ...this.#stats,
      running,
      waiting: this.#jobs.size - running,
      kvUsage: 0,
      preemptions: 0,
      cachedTokens: 0,
      draftedTokens: 0,
      acceptedTokens: 0,
      queryTokens: this.#stats.promptTokens,
      hitTokens: 0,
    };
  }

  stop(reason: string): void {
    for (const job of this.#jobs) {
      this.#leave(job);
      job.sink.failed(reason);
    }
  }

  /** Goes on after a pause: everybody from where they were, as of now. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const nowMs = this.#clock.nowMs();
    for (const job of this.#jobs) this.#schedule(job, Math.max(nowMs, job.startMs));
  }

  #real(ms: number): number {
    return (ms * this.slowdown) / this.#speed;
  }

  #schedule(job: Job, dueMs: number): void {
    job.cancel = this.#clock.schedule(dueMs - this.#clock.nowMs(), () => {
      this.#step(job, dueMs);
    });
  }

  /** The next event of a job is due: its start, or a token. The one after is planned from when this was due, not when it rang. */
  #step(job: Job, dueMs: number): void {
    if (job.gone) return;
    const lagMs = Math.max(0, this.#clock.nowMs() - dueMs);
    this.#stats.lagMs = lagMs;
    this.#stats.lagMsMax = Math.max(this.#stats.lagMsMax, lagMs);
    if (!job.started) {
      job.started = true;
      job.startMs = dueMs;
      job.sink.scheduled?.(dueMs);
      this.#schedule(job, dueMs + this.#real(this.#timing.ttftMs));
      return;
    }
    const isFirst = job.generated === 0;
    const prompt = isFirst ? job.request.promptIds.length : 0;
    if (isFirst) {
      this.#stats.promptTokens += prompt;
      job.sink.prefilled?.(prompt, dueMs);
    }
    job.generated++;
    this.#stats.outputTokens++;
    this.#stats.steps++;
    job.sink.tokens(1, job.generated, dueMs);
    const isLast = job.generated >= job.request.outputTokens;
    if (isLast && !job.gone) {
      this.#stats.finished++;
      this.#leave(job);
      job.sink.finished(dueMs);
    }
    this.onStep?.({
      atMs: dueMs,
      durationMs: this.#real(isFirst ? this.#timing.ttftMs : this.#timing.itlMs),
      prefillTokens: prompt,
      prompts: isFirst ? 1 : 0,
      decodes: isFirst ? 0 : 1,
    });
    if (!job.gone) this.#schedule(job, dueMs + this.#real(this.#timing.itlMs));
  }

  #leave(job: Job): void {
    job.gone = true;
    job.cancel();
    this.#jobs.delete(job);
  }
}
