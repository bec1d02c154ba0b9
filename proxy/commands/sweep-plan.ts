import { datasetName } from "../../load/prompts/dataset.ts";
import { readShape, readShapes, type Shape, ShapeError } from "../../load/prompts/shape.ts";
import { plainWorkload, readMix, type Workload } from "../../load/prompts/workload.ts";
import { DEFAULT_OBJECTIVES, ObjectiveError, readObjective } from "../../load/sweep/objective.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { type PresetName, presets } from "../../load/sweep/presets.ts";
import { fittedWorkload } from "../synthetic/traffic-fit.ts";
import { CommandError, EXIT } from "./exit.ts";
import { type TracedShapes, tracedShapes } from "./traced-shapes.ts";

/** Flags of `pitot sweep` that say what to measure. All but the preset and the seed may be left out. */
export interface PlanFlags {
  readonly preset: PresetName;
  readonly shape?: readonly string[];
  readonly shapes?: readonly string[];
  readonly mix?: string;
  readonly dataset?: string;
  readonly prefixShare?: number;
  readonly turns?: number;
  readonly think?: number;
  readonly objective?: readonly string[];
  readonly arrivals?: SweepPlan["arrivals"];
  readonly cv?: number;
  readonly rate?: readonly number[];
  readonly concurrency?: readonly number[];
  readonly seed: number;
}

/** Burstiness of gamma arrivals when nobody says: visibly more than chance. */
const CV_DEFAULT = 2;
const SHAPE_DEFAULT: Shape = { inputTokens: 1024, outputTokens: 128 };

/** Makes the plan of the flags. @throws {CommandError} 2, with the sentence of whatever cannot be read. */
export async function planOf(flags: PlanFlags): Promise<SweepPlan> {
  const traced = await tracedShapes(flags.shapes ?? []);
  // One process for the whole plan: the first trace's, where there is one.
  const [first] = [...traced.values()].map(({ fit }) => fit);
  try {
    return {
      preset: presets[flags.preset],
      seed: flags.seed,
      workloads: workloadsOf(flags, traced).map((workload) => withHabits(workload, flags)),
      objectives: (flags.objective ?? DEFAULT_OBJECTIVES).map(readObjective),
      arrivals: flags.arrivals ?? first?.arrivals ?? "poisson",
      cv: flags.cv ?? first?.arrivalCv ?? CV_DEFAULT,
      rates: (flags.rate ?? []).toSorted((a, b) => a - b),
      concurrencies: (flags.concurrency ?? []).toSorted((a, b) => a - b),
    };
  } catch (error) {
    if (error instanceof ShapeError || error instanceof ObjectiveError) {
      throw new CommandError(EXIT.usage, error.message);
    }
    throw error;
  }
}

function workloadsOf(
  { shape = [], shapes = [], mix, dataset }: PlanFlags,
  traced: ReadonlyMap<string, TracedShapes>,
): readonly Workload[] {
  const workloads: Workload[] = shape.map((text) => plainWorkload(readShape(text)));
  for (const list of shapes) {
    const trace = traced.get(list);
    workloads.push(
      ...(trace === undefined
        ? readShapes(list).map(plainWorkload)
        : [fittedWorkload(trace.fit, trace.name)]),
    );
  }
  if (mix !== undefined) workloads.push(readMix(mix));
  if (dataset !== undefined) {
    workloads.push({ ...plainWorkload(SHAPE_DEFAULT), name: datasetName(dataset), dataset });
  }
  const named = new Map(workloads.map((workload) => [workload.name, workload]));
  return named.size === 0 ? [plainWorkload(SHAPE_DEFAULT)] : [...named.values()];
}

/** What all of a sweep's workloads have in common, in their names where it changes what is measured. */
function withHabits(workload: Workload, flags: PlanFlags): Workload {
  // What a trace had cached it keeps, unless something else is asked for.
  const { prefixShare = workload.prefixShare, turns = 1, think = 0 } = flags;
  const shared = prefixShare > 0 ? `+${Math.round(prefixShare * 100)}%shared` : "";
  const talked = turns > 1 ? `*${turns}turns` : "";
  return {
    ...workload,
    name: `${workload.name}${talked}${shared}`,
    prefixShare,
    turns,
    thinkMs: think,
  };
}
