import type { VirtualClock } from "../../engines/virtual-clock.ts";
import { noHealth } from "../../load/generator/health.ts";
import { plainWorkload } from "../../load/prompts/workload.ts";
import { agedShape, type Shape } from "../../load/prompts/shape.ts";
import type { Point } from "../../load/results/point.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import type { Cohort } from "../../load/sweep/cohort.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { readObjective } from "../../load/sweep/objective.ts";
import type { Load, SweepPlan, StopRule } from "../../load/sweep/plan.ts";
import { type Prompts, runPoint } from "../../load/sweep/point-run.ts";
import type { Preset } from "../../load/sweep/presets.ts";
import { runSweep, type SweepOptions } from "../../load/sweep/sweep.ts";
import type { Target } from "../../load/target.ts";
import { runVirtually } from "./virtual-run.ts";

/** Prompts without text: a scripted engine reads none. */
export function emptyPrompts({ inputTokens, outputTokens }: Shape): Prompts {
  const prompt = { route: "chat", body: {}, inputTokens, outputTokens, session: null } as const;
  return {
    next: (_random, _index, age = 0) => ({ ...prompt, ...agedShape(prompt, age) }),
  };
}

/** Holds one level of a scripted engine in virtual time. */
export async function pointVirtually(
  clock: VirtualClock,
  target: Target,
  options: {
    readonly load: Load;
    readonly shape?: Shape;
    readonly cohort?: Cohort | null;
    readonly stop?: Partial<StopRule>;
    readonly objectives?: readonly string[];
    readonly seed?: number;
  },
): Promise<Point> {
  const { load, shape = { inputTokens: 8, outputTokens: 1 }, stop = {}, seed = 1 } = options;
  const objectives = (options.objectives ?? []).map(readObjective);
  const point = await runVirtually(
    clock,
    runPoint({
      task: {
        pointId: "p",
        shape: "s",
        stage: "envelope",
        load,
        repeat: 0,
        cohort: options.cohort ?? null,
        stop: {
          settleMsMin: 1_000,
          windowMsMin: 20_000,
          windowMsMax: 20_000,
          requests: 10,
          precision: 0.05,
          decide: [],
          untilStable: false,
          passStays: 0,
          inFlightMax: 1_000,
          ...stop,
        },
      },
      objectives,
      target,
      clock,
      prompts: emptyPrompts(shape),
      runId: "r",
      seed,
      health: noHealth,
      ceilingEventsPerSecond: null,
      signal: new AbortController().signal,
      onExchange: () => {},
    }),
  );
  if (point === null) throw new Error("the point was interrupted");
  return point;
}

export interface VirtualSweep {
  readonly preset: Preset;
  readonly seed?: number;
  readonly shape?: Shape;
  readonly objectives?: readonly string[];
  readonly plan?: Partial<SweepPlan>;
  readonly options?: Partial<SweepOptions>;
  readonly onEvent?: (event: SweepEvent) => void;
}

/** A plan of one shape. */
export function planOf({
  preset,
  seed = 1,
  shape,
  objectives = [],
  plan = {},
}: VirtualSweep): SweepPlan {
  return {
    preset,
    seed,
    workloads: [plainWorkload(shape ?? { inputTokens: 8, outputTokens: 1 })],
    objectives: objectives.map(readObjective),
    arrivals: "poisson",
    cv: 1,
    rates: [],
    concurrencies: [],
    ...plan,
  };
}

/** Sweeps a target in virtual time. */
export function sweepVirtually(
  clock: VirtualClock,
  target: Target,
  sweep: VirtualSweep,
): Promise<SweepSummary> {
  const shape = sweep.shape ?? { inputTokens: 8, outputTokens: 1 };
  return runVirtually(
    clock,
    runSweep({
      runId: "r",
      directory: null,
      plan: planOf(sweep),
      subject: {
        target: "scripted",
        engine: "openai",
        engineVersion: null,
        model: "m",
        modelMaxTokens: null,
      },
      target,
      clock,
      promptsFor: () => emptyPrompts(shape),
      prompts: "none",
      health: noHealth,
      workers: 0,
      ceilingEventsPerSecond: null,
      finished: [],
      signal: new AbortController().signal,
      onExchange: () => {},
      onEvent: sweep.onEvent ?? (() => {}),
      ...sweep.options,
    }),
  );
}
