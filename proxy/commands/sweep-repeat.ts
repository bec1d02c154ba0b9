import { shapeName } from "../../load/prompts/shape.ts";
import type { Workload } from "../../load/prompts/workload.ts";
import type { Subject } from "../../load/results/summary.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { shellLine } from "./shell-line.ts";

/**
 * The command that gives a run again, from its plan and never from what was typed: keys are on no command line that is
 * kept. `failIf`: its conditions.
 */
export function repeatCommand(
  { target, model }: Pick<Subject, "target" | "model">,
  plan: SweepPlan,
  failIf: readonly string[] = [],
): string {
  const { preset, seed, workloads, objectives, arrivals, cv, rates, concurrencies } = plan;
  return shellLine([
    "pitot",
    "sweep",
    target,
    "--model",
    model,
    "--preset",
    preset.name,
    ...workloads.flatMap(workloadFlags),
    ...habitFlags(workloads[0]),
    ...objectives.flatMap(({ text }) => ["--objective", text]),
    ...(arrivals === "poisson" ? [] : ["--arrivals", arrivals]),
    ...(arrivals === "gamma" ? ["--cv", String(cv)] : []),
    ...rates.flatMap((rate) => ["--rate", String(rate)]),
    ...concurrencies.flatMap((level) => ["--concurrency", String(level)]),
    "--seed",
    String(seed),
    ...failIf.flatMap((text) => ["--fail-if", text]),
  ]);
}

function workloadFlags({ parts, dataset }: Workload): readonly string[] {
  if (dataset !== null) return ["--dataset", dataset];
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return ["--shape", shapeName(first.shape)];
  const shares = parts.map(({ shape, weight }) => {
    return `${Number((weight * 100).toPrecision(6))}% ${shapeName(shape)}`;
  });
  return ["--mix", shares.join(", ")];
}

/** What all of a sweep's workloads have in common. */
function habitFlags(workload: Workload | undefined): readonly string[] {
  if (workload === undefined) return [];
  const { prefixShare, turns, thinkMs } = workload;
  return [
    ...(prefixShare > 0 ? ["--prefix-share", String(prefixShare)] : []),
    ...(turns > 1 ? ["--turns", String(turns)] : []),
    ...(thinkMs > 0 ? ["--think", `${thinkMs}ms`] : []),
  ];
}
