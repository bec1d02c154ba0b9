import { headlineOf } from "../results/headline.ts";
import type { Point } from "../results/point.ts";
import type { RunManifest } from "../results/run-manifest.ts";
import type { StoredRun } from "../results/run-reader.ts";
import type { GeneratorSummary, ShapeSummary, SweepSummary } from "../results/summary.ts";
import { replicasFor } from "./capacity.ts";
import { summariseShape } from "./shape-summary.ts";

/** What a run's document says besides its shapes. */
export interface RunFacts extends Pick<RunManifest, "runId" | "plan" | "subject" | "prompts"> {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly interrupted: boolean;
  readonly workers: number;
  readonly ceilingEventsPerSecond: number | null;
}

/** The document of a run: its shapes, whether it counts, and the answer in words. */
export function summariseRun(facts: RunFacts, shapes: readonly ShapeSummary[]): SweepSummary {
  const { runId, plan, subject, prompts, interrupted, startedAt, endedAt } = facts;
  const points = shapes.flatMap((shape) => shape.points);
  const invalidBecause = invalidOf(points, interrupted);
  return {
    schemaVersion: 1,
    runId,
    valid: invalidBecause === null,
    invalidBecause,
    interrupted,
    headline: headlineOf(shapes, replicasFor),
    preset: plan.preset.name,
    seed: plan.seed,
    startedAt,
    endedAt,
    subject,
    prompts,
    shapes,
    generator: generatorOf(points, facts),
    requests: points.reduce((sum, point) => sum + point.sent, 0),
  };
}

/**
 * The document of a run that was killed before it could write one, from its finished points: what was measured counts, and
 * it says that it was cut short.
 */
export function summariseStored({ manifest, points }: StoredRun): SweepSummary {
  const { plan, environment, startedAt } = manifest;
  const shapes = plan.workloads
    .map((workload) => ({ workload, own: points.filter(({ shape }) => shape === workload.name) }))
    .filter(({ own }) => own.length > 0)
    .map(({ workload, own }) => summariseShape({ plan, workload, points: own }));
  const lastMs = Math.max(
    Date.parse(startedAt),
    ...points.map((point) => point.startedMs + point.settleMs + point.windowMs + point.drainMs),
  );
  const { workers, ceilingEventsPerSecond } = environment;
  const endedAt = manifest.endedAt ?? new Date(lastMs).toISOString();
  const interrupted = manifest.state !== "done";
  return summariseRun(
    { ...manifest, endedAt, interrupted, workers, ceilingEventsPerSecond },
    shapes,
  );
}

function invalidOf(points: readonly Point[], interrupted: boolean): string | null {
  if (interrupted) return "interrupted: the points that were finished are kept";
  if (points.length === 0) return "nothing was measured";
  const invalid = points.find(({ valid }) => !valid);
  return invalid === undefined ? null : `${invalid.pointId}: ${invalid.invalidBecause}`;
}

function generatorOf(
  points: readonly Point[],
  { workers, ceilingEventsPerSecond }: Pick<RunFacts, "workers" | "ceilingEventsPerSecond">,
): GeneratorSummary {
  const most = (of: (point: Point) => number | null): number | null => {
    const values = points.map(of).filter((value) => value !== null);
    return values.length === 0 ? null : Math.max(...values);
  };
  return {
    sendLagP99Ms: most(({ generator }) => generator.sendLagP99Ms),
    loopDelayP99Ms: most(({ generator }) => generator.loopDelayP99Ms),
    cpuShare: most(({ generator }) => generator.cpuShare),
    eventsPerSecondMax: most(({ generator }) => generator.eventsPerSecond) ?? 0,
    ceilingEventsPerSecond,
    workers,
  };
}
