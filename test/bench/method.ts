import { readShape, type Shape } from "../../load/prompts/shape.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import { type PresetName, presets } from "../../load/sweep/presets.ts";
import { sweepVirtually } from "../harness/virtual-sweep.ts";
import { agree, bruteForce, type Ends, endsOf, middleOf } from "./brute-force.ts";
import { fixedSweep } from "./fixed-sweep.ts";
import { engine, OBJECTIVES } from "./simulated.ts";

const SHAPES = ["1024x128", "128x1024"];
const PRESETS = ["quick", "standard"] as const satisfies readonly PresetName[];
/** None of these was looked at while the method was made. */
const SEEDS = [101, 102, 103, 104, 105];

/** `npm run bench -- method`: presets against a grid ten times as long, on the simulated H100, in virtual time. */
export async function methodBench(): Promise<void> {
  const [intervals, costs]: [string[], string[]] = [[], []];
  for (const name of SHAPES) {
    const shape = readShape(name);
    const runs = { quick: await sweeps("quick", shape), standard: await sweeps("standard", shape) };
    const top = runs.standard[0]?.summary.shapes[0]?.maximum?.requestsPerSecond ?? 0;
    const grid = await bruteForce(shape, top);
    const truths = OBJECTIVES.map((objective) => endsOf(grid, objective));
    for (const [index, truth] of truths.entries()) {
      const cells = PRESETS.map((preset) => compared(runs[preset], index, truth));
      intervals.push(`| ${name} | ${OBJECTIVES[index]} | ${shown(truth)} | ${cells.join(" | ")} |`);
    }
    for (const preset of PRESETS) {
      costs.push(`| ${name} | ${await cost(preset, runs[preset], { shape, truths })} |`);
      console.error(costs.at(-1));
    }
  }
  const seeds = `${SEEDS[0]}–${SEEDS.at(-1)}`;
  console.log(
    `| shape | objective | brute force | quick, seeds ${seeds} | standard, seeds ${seeds} |`,
  );
  console.log("| --- | --- | --: | --- | --- |");
  for (const line of intervals) console.log(line);
  console.log(
    "\n| shape | preset | width | minutes | requests | ten fixed levels, each | requests | share |",
  );
  console.log("| --- | --- | --: | --: | --: | --: | --: | --: |");
  for (const line of costs) console.log(line);
}

interface Swept {
  readonly summary: SweepSummary;
  readonly minutes: number;
  readonly sent: number;
}

async function sweeps(preset: PresetName, shape: Shape): Promise<readonly Swept[]> {
  const runs: Swept[] = [];
  for (const seed of SEEDS) {
    const { clock, target } = engine();
    const plan = { preset: presets[preset], shape, objectives: OBJECTIVES, seed };
    const summary = await sweepVirtually(clock, target, plan);
    runs.push({ summary, minutes: clock.nowMs() / 60_000, sent: target.sent });
  }
  return runs;
}

function endsIn({ summary }: Swept, index: number): Ends {
  const capacity = summary.shapes[0]?.capacities[index];
  return { pass: capacity?.passRatePerSecond ?? null, fail: capacity?.failRatePerSecond ?? null };
}

function compared(runs: readonly Swept[], index: number, truth: Ends): string {
  const found = runs.map((run) => endsIn(run, index));
  const agreeing = found.filter((ends) => agree(ends, truth)).length;
  return `${found.map(shown).join(", ")}: ${agreeing} of ${found.length} agree`;
}

function shown({ pass, fail }: Ends): string {
  if (pass === null && fail === null) return "—";
  if (fail === null) return `≥ ${pass?.toFixed(1)}`;
  return `${pass?.toFixed(1) ?? "0"}–${fail.toFixed(1)}`;
}

async function cost(
  preset: PresetName,
  runs: readonly Swept[],
  { shape, truths }: { readonly shape: Shape; readonly truths: readonly Ends[] },
): Promise<string> {
  const mean = (of: (run: Swept) => number): number =>
    runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  const sent = mean((run) => run.sent);
  const about = `${preset} | ${mean((run) => run.minutes).toFixed(1)} | ${Math.round(sent)}`;
  const widths = runs.flatMap((run) => OBJECTIVES.map((_, index) => widthOf(endsIn(run, index))));
  const bounded = widths.filter((width) => width !== null);
  const [median] = bounded.sort((a, b) => a - b).slice(Math.floor(bounded.length / 2));
  if (median === undefined)
    return `${preset} | open | ${about.split(" | ").slice(1).join(" | ")} | — | — | —`;
  // Never finer than was asked for: what fell out narrower by luck is not held against the fixed sweep.
  const width = Math.max(median, presets[preset].refine.ratio - 1);
  const [, truth] = truths;
  const capacity = middleOf(truth ?? { pass: null, fail: null });
  const fixed = await fixedSweep(shape, { capacity, width, objectives: OBJECTIVES });
  const least = fixed.atLeast ? "≥ " : "";
  const share = `${fixed.atLeast ? "≤ " : ""}${((100 * sent) / fixed.requests).toFixed(0)} %`;
  const [name, ...rest] = about.split(" | ");
  return `${name} | ${(100 * width).toFixed(0)} % | ${rest.join(" | ")} | ${least}${fixed.seconds} s | ${least}${fixed.requests} | ${share}`;
}

function widthOf({ pass, fail }: Ends): number | null {
  return pass === null || fail === null ? null : fail / pass - 1;
}
