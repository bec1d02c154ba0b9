import type { Clock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { GeneratorHealth } from "../generator/health.ts";
import { longestTokens, type Workload } from "../prompts/workload.ts";
import type { Point } from "../results/point.ts";
import type { ShapeSummary, Subject, SweepSummary } from "../results/summary.ts";
import type { Target } from "../target.ts";
import { estimateMs, remainingMs } from "./estimate.ts";
import type { SweepListener } from "./events.ts";
import type { SweepPlan } from "./plan.ts";
import { type Prompts, runPoint } from "./point-run.ts";
import { nextTask } from "./procedure.ts";
import { summariseRun } from "./run-summary.ts";
import { skippedShape, summariseShape } from "./shape-summary.ts";

/** What a sweep runs on. Nothing here is HTTP: a scripted engine in virtual time will do. */
export interface SweepOptions {
  readonly runId: string;
  readonly directory: string | null;
  readonly plan: SweepPlan;
  readonly subject: Subject;
  readonly target: Target;
  readonly clock: Clock;
  /** Prompts of a workload, made once for each. */
  readonly promptsFor: (workload: Workload) => Prompts;
  /** How they were made, in a word. */
  readonly prompts: string;
  readonly health: GeneratorHealth;
  readonly workers: number;
  readonly ceilingEventsPerSecond: number | null;
  /** Points of an earlier part of the same run: never repeated, never lost. */
  readonly finished: readonly Point[];
  /** Aborting keeps every finished point. */
  readonly signal: AbortSignal;
  readonly onExchange: (exchange: Exchange, sendLagMs: number) => void;
  readonly onEvent: SweepListener;
}

/** Runs a plan to its end or to the abort, and sums up what there is. Says everything it does as `SweepEvent`s. */
export async function runSweep(options: SweepOptions): Promise<SweepSummary> {
  const { plan, clock, runId, directory, subject, finished, onEvent, signal } = options;
  const startedAt = new Date(clock.nowMs()).toISOString();
  const atMs = clock.nowMs();
  const estimate = { estimateMs: estimateMs(plan), resumedPoints: finished.length };
  onEvent({ kind: "planned", atMs, runId, directory, plan, subject, ...estimate });
  const shapes: ShapeSummary[] = [];
  for (const [index, workload] of plan.workloads.entries()) {
    if (signal.aborted) break;
    const shape = workload.name;
    const of = plan.workloads.length;
    onEvent({ kind: "shape-started", atMs: clock.nowMs(), shape, index, of });
    const summary = await sweepWorkload(options, index);
    shapes.push(summary);
    for (const capacity of summary.capacities) {
      onEvent({ kind: "capacity", atMs: clock.nowMs(), shape, capacity });
    }
    onEvent({ kind: "shape-finished", atMs: clock.nowMs(), shape: summary });
  }
  const { prompts, workers, ceilingEventsPerSecond } = options;
  const about = { runId, plan, subject, prompts, workers, ceilingEventsPerSecond };
  const endedAt = new Date(clock.nowMs()).toISOString();
  const summary = summariseRun(
    { ...about, startedAt, endedAt, interrupted: signal.aborted },
    shapes,
  );
  onEvent({ kind: "ended", atMs: clock.nowMs(), summary });
  return summary;
}

async function sweepWorkload(options: SweepOptions, index: number): Promise<ShapeSummary> {
  const { plan, clock, subject, signal, onEvent } = options;
  const workload = plan.workloads[index];
  if (workload === undefined) throw new Error(`the plan has no workload ${index}`);
  const longest = longestTokens(workload);
  if (subject.modelMaxTokens !== null && longest > subject.modelMaxTokens) {
    const message = `${workload.name} skipped: too long, it needs ${longest} tokens and the model takes ${subject.modelMaxTokens}`;
    onEvent({ kind: "note", atMs: clock.nowMs(), level: "warning", message });
    return skippedShape(workload.name, message);
  }
  const points = options.finished.filter(({ shape }) => shape === workload.name);
  const later = plan.workloads.slice(index + 1);
  const prompts = options.promptsFor(workload);
  const left = (): number => remainingMs(plan, { workload, points }, later);
  for (;;) {
    const task = signal.aborted ? null : nextTask({ plan, workload, points });
    if (task === null) break;
    onEvent({ kind: "point-started", atMs: clock.nowMs(), task, remainingMs: left() });
    const point = await runPoint({
      ...options,
      task,
      prompts,
      seed: plan.seed,
      objectives: plan.objectives,
      onProgress: (progress) => {
        onEvent({ kind: "progress", atMs: clock.nowMs(), ...progress });
      },
    });
    if (point === null) break;
    points.push(point);
    onEvent({ kind: "point-finished", atMs: clock.nowMs(), point, remainingMs: left() });
  }
  return summariseShape({ plan, workload, points });
}
