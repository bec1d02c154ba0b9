import type { Cancel, Clock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { forkRandom, type Random } from "../../engines/random.ts";
import type { GeneratorHealth } from "../generator/health.ts";
import { pacers } from "../pacers/index.ts";
import type { Pacer } from "../pacers/pacer.ts";
import { primed } from "../pacers/primed.ts";
import type { Point } from "../results/point.ts";
import { type FollowUp, runStage } from "../stage.ts";
import type { Prompt, Target } from "../target.ts";
import { ageOf, type Arrival, arrivalsOf, rampMsOf } from "./cohort.ts";
import type { PointProgress } from "./events.ts";
import type { Objective } from "./objective.ts";
import type { PointTask } from "./plan.ts";
import { PointPhases } from "./point-phases.ts";
import { BIN_MS, PointRecord, sumBetween } from "./point-record.ts";
import { ascending, percentile } from "../statistics/percentile.ts";
import { summarise } from "./summarise.ts";

/** Makes the prompts of a point, and further turns where a workload is a conversation. */
export interface Prompts {
  /**
   * The prompt of request number `index`. Equal random sequences make equal prompts. Of one with an `age` that share of
   * the answer is in the prompt already, and it has the rest to go.
   */
  next(random: Random, index: number, age?: number): Prompt;
  follow?(exchange: Exchange, prompt: Prompt): FollowUp | null;
  /** Learns from the answer how long the prompt really was. */
  answered?(exchange: Exchange, prompt: Prompt): void;
}

/** What a point is run with. */
export interface PointRunOptions {
  readonly task: PointTask;
  /** Judged on every point that has a rate, decided upon or not. */
  readonly objectives: readonly Objective[];
  readonly target: Target;
  readonly clock: Clock;
  readonly prompts: Prompts;
  readonly runId: string;
  readonly seed: number;
  readonly health: GeneratorHealth;
  readonly ceilingEventsPerSecond: number | null;
  /** Aborting gives up the point: half a point is none. */
  readonly signal: AbortSignal;
  readonly onExchange: (exchange: Exchange, sendLagMs: number) => void;
  readonly onProgress?: (progress: PointProgress) => void;
}

/** How often a point looks at itself. */
const TICK_MS = 500;
const TICKS_PER_PROGRESS = 2;
/** All users of a closed loop are there before the window may open. */
const RAMP_SHARE_MAX = 0.75;

/**
 * Holds one load level: settles, measures a window, keeps the load up until the window's requests have ended, cuts the
 * rest. `null` when interrupted.
 */
export async function runPoint(options: PointRunOptions): Promise<Point | null> {
  const { task, target, clock, prompts, runId, seed, health, signal } = options;
  const first = firstOf(task);
  const startedMs = clock.nowMs();
  const record = new PointRecord(startedMs, meanGapMsOf(task));
  const phases = new PointPhases(task, record);
  const [sending, finishing] = [new AbortController(), new AbortController()];
  const stopAll = (): void => {
    sending.abort();
    finishing.abort();
  };
  signal.addEventListener("abort", stopAll, { once: true });
  if (signal.aborted) stopAll();
  health.begin();
  let looks = 0;
  const stopTicking = ticks(clock, () => {
    const step = phases.tick(clock.nowMs() - startedMs, clock.nowMs());
    if (step !== "go-on") sending.abort();
    if (step === "cut") finishing.abort();
    if (++looks % TICKS_PER_PROGRESS === 0) {
      options.onProgress?.(progressOf(options, { record, phases, startedMs }));
    }
  });
  const report = await runStage({
    target,
    pacer: pacerOf(task, first, seed),
    prompt: (random, index) => prompts.next(random, index, first[index]?.age),
    clock,
    random: forkRandom(seed, `${task.pointId}/prompts`),
    label: `${runId}/${task.pointId}`,
    sending: sending.signal,
    finishing: finishing.signal,
    onSend: (plannedMs) => {
      record.send(plannedMs, clock.nowMs());
    },
    onExchange: (exchange, lagMs, prompt) => {
      prompts.answered?.(exchange, prompt);
      record.end(exchange, lagMs, prompt);
      options.onExchange(exchange, lagMs);
    },
    follow: followUps(prompts, record),
  });
  stopTicking();
  phases.close(clock.nowMs() - startedMs, clock.nowMs());
  signal.removeEventListener("abort", stopAll);
  if (signal.aborted) return null;
  const reading = health.read();
  return summarise({
    task,
    record,
    phases,
    objectives: options.objectives,
    endedMs: clock.nowMs(),
    capped: report.capped,
    reading,
    ceilingEventsPerSecond: options.ceilingEventsPerSecond,
  });
}

function meanGapMsOf({ load }: PointTask): number | null {
  return load.mode === "open" ? 1000 / load.ratePerSecond : null;
}

/** Further turns come when answers do: from the first one on, arrivals are not the planned ones alone. */
function followUps(
  prompts: Prompts,
  record: PointRecord,
): (exchange: Exchange, prompt: Prompt) => FollowUp | null {
  return (exchange, prompt) => {
    const next = prompts.follow?.(exchange, prompt) ?? null;
    if (next !== null) record.meanGapMs = null;
    return next;
  };
}

function ticks(clock: Clock, tick: () => void): Cancel {
  let stopped = false;
  let cancel: Cancel = () => {};
  let dueMs = clock.nowMs();
  const turn = (): void => {
    if (stopped) return;
    tick();
    next();
  };
  const next = (): void => {
    dueMs = Math.max(dueMs + TICK_MS, clock.nowMs());
    cancel = clock.schedule(dueMs - clock.nowMs(), turn);
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}

/** A plan's end is the stage's, not the pacer's: this only bounds it. */
const DURATION_MS_MAX = 24 * 3_600_000;

/** Those a level begins with, as if it had gone on for long. */
function firstOf({ load, cohort, stop }: PointTask): readonly Arrival[] {
  if (stop.untilStable) return [];
  if (load.mode === "open") return cohort === null ? [] : arrivalsOf(cohort);
  return Array.from({ length: load.concurrency }, (_, index) => ({ atMs: 0, age: ageOf(index) }));
}

function pacerOf(task: PointTask, first: readonly Arrival[], seed: number): Pacer {
  const random = forkRandom(seed, `${task.pointId}/arrivals`);
  const { load } = task;
  if (load.mode === "closed") {
    const { settleMsMin, windowMsMax } = task.stop;
    const settleMs = Math.max(settleMsMin, windowMsMax);
    const rampMs = Math.min(rampMsOf(load.concurrency), settleMs * RAMP_SHARE_MAX);
    return pacers.closed({ concurrency: load.concurrency, rampMs });
  }
  const { ratePerSecond, cv } = load;
  const arrivals = { ratePerSecond, cv, random, durationMs: DURATION_MS_MAX };
  const atMs = first.map((one) => one.atMs);
  return primed(atMs, rampMsOf(first.length), pacers[load.arrivals](arrivals));
}

/** Answers the live figures are taken over. */
const RECENT = 64;

function progressOf(
  options: PointRunOptions,
  now: {
    readonly record: PointRecord;
    readonly phases: PointPhases;
    readonly startedMs: number;
  },
): PointProgress {
  const { record, phases, startedMs } = now;
  const elapsedMs = options.clock.nowMs() - startedMs;
  const recent = record.samples.slice(-RECENT);
  const median = (of: (sample: (typeof recent)[number]) => number | null): number | null =>
    percentile(ascending(recent.map(of).filter((value) => value !== null)), 0.5);
  const { loopDelayP99Ms, cpuShare } = options.health.read();
  const secondAgo = Math.floor(Math.max(0, elapsedMs - 1000) / BIN_MS) * BIN_MS;
  return {
    pointId: options.task.pointId,
    phase: phases.phase,
    elapsedMs,
    sent: record.sent,
    measured: phases.phase === "settling" ? 0 : record.samples.length - phases.endedBefore,
    failed: record.failed,
    inFlight: record.inFlight,
    ttftP50Ms: median((sample) => sample.ttftMs),
    tpotP50Ms: median((sample) => sample.tpotMs),
    outputTokensPerSecond: sumBetween(record.outputTokens, secondAgo, secondAgo + 1000),
    sendLagMaxMs: Math.max(0, ...recent.map((sample) => sample.sendLagMs)),
    loopDelayP99Ms,
    cpuShare,
  };
}
