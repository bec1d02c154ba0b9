import { buildEngine } from "../../engines/sim/core.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import { readShape, type Shape } from "../../load/prompts/shape.ts";
import type { Point } from "../../load/results/point.ts";
import type { Capacity, SweepSummary } from "../../load/results/summary.ts";
import { type PresetName, presets } from "../../load/sweep/presets.ts";
import { CoreTarget } from "../harness/core-target.ts";
import { pointVirtually, sweepVirtually } from "../harness/virtual-sweep.ts";

const SHAPES = ["1024x128", "128x1024"];
const OBJECTIVES = ["ttft_p50<=300ms", "ttft_p95<=1s", "tpot_p95<=25ms"];
/** Rates of the brute-force grid, as shares of the highest throughput. */
const GRID = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.05];
/** Ten times the window of a standard level. */
const BRUTE_WINDOW_MS = 10 * 120_000;

/** `npm run bench -- method`: presets against a grid ten times as long, on the simulated H100, in virtual time. */
export async function methodBench(): Promise<void> {
  console.log("| shape | objective | brute force, req/s | quick | standard |");
  console.log("| --- | --- | --: | --- | --- |");
  const cost: string[] = [];
  for (const name of SHAPES) {
    const shape = readShape(name);
    const [quick, standard] = [await swept("quick", shape), await swept("standard", shape)];
    const top = standard.summary.shapes[0]?.maximum?.requestsPerSecond ?? 0;
    const grid = await bruteForce(shape, top);
    for (const [index, objective] of OBJECTIVES.entries()) {
      const truth = crossing(grid, objective);
      const cells = [quick, standard].map(({ summary }) =>
        judged(summary.shapes[0]?.capacities[index], truth),
      );
      console.log(`| ${name} | ${objective} | ${shown(truth)} | ${cells.join(" | ")} |`);
    }
    for (const { preset, summary, minutes, sent } of [quick, standard]) {
      const fixed = fixedLevels(summary, top);
      cost.push(
        `| ${name} | ${preset} | ${minutes.toFixed(0)} min | ${sent} | ${fixed} | ${((100 * sent) / fixed).toFixed(0)} % |`,
      );
    }
  }
  console.log(
    "\n| shape | preset | time | requests | ten fixed levels of equal precision | share |",
  );
  console.log("| --- | --- | --: | --: | --: | --: |");
  for (const line of cost) console.log(line);
}

interface Swept {
  readonly preset: string;
  readonly summary: SweepSummary;
  readonly minutes: number;
  readonly sent: number;
}

async function swept(preset: PresetName, shape: Shape): Promise<Swept> {
  const { clock, target } = engine();
  const summary = await sweepVirtually(clock, target, {
    preset: presets[preset],
    shape,
    objectives: OBJECTIVES,
    seed: 11,
  });
  return { preset, summary, minutes: clock.nowMs() / 60_000, sent: target.sent };
}

function engine(): { clock: VirtualClock; target: CoreTarget } {
  const clock = new VirtualClock();
  const setup = { persona: "vllm", model: "Llama-3.1-8B", gpu: "h100", jitter: 0.02 } as const;
  const { core, facts } = buildEngine(setup, clock);
  return { clock, target: new CoreTarget(core, clock, facts.apiMs) };
}

/** Every rate of the grid held for twenty minutes, each on a fresh engine with another seed than the sweeps'. */
async function bruteForce(shape: Shape, top: number): Promise<readonly Point[]> {
  const points: Point[] = [];
  for (const [index, fraction] of GRID.entries()) {
    const { clock, target } = engine();
    points.push(
      await pointVirtually(clock, target, {
        load: { mode: "open", arrivals: "poisson", ratePerSecond: fraction * top, cv: 1 },
        shape,
        objectives: OBJECTIVES,
        seed: 1_000 + index,
        stop: {
          settleMsMin: 60_000,
          windowMsMin: BRUTE_WINDOW_MS,
          windowMsMax: BRUTE_WINDOW_MS,
          inFlightMax: 5_000,
        },
      }),
    );
  }
  return points;
}

/** Where the share of violations crosses what is allowed, between the two levels it lies between. */
function crossing(grid: readonly Point[], objective: string): readonly [number, number] | null {
  const levels = grid.map((point) => {
    const verdict = point.verdicts.find((one) => one.objective === objective);
    const share = verdict === undefined || verdict.n === 0 ? 1 : verdict.violations / verdict.n;
    return {
      rate: point.offeredRatePerSecond ?? 0,
      over: point.saturated || share > (verdict?.shareAllowed ?? 0),
    };
  });
  const first = levels.findIndex(({ over }) => over);
  const [below, above] = [levels[first - 1], levels[first]];
  return below === undefined || above === undefined ? null : [below.rate, above.rate];
}

/** Agreement: the two intervals overlap. */
function judged(capacity: Capacity | undefined, truth: readonly [number, number] | null): string {
  if (capacity === undefined) return "—";
  const { passRatePerSecond: pass, failRatePerSecond: fail, verdict } = capacity;
  const text = `${verdict} ${pass?.toFixed(2) ?? "…"}–${fail?.toFixed(2) ?? "…"}`;
  if (truth === null) return text;
  const agrees = (pass ?? 0) <= truth[1] && (fail ?? Infinity) >= truth[0];
  return `${text} ${agrees ? "agrees" : "DIFFERS"}`;
}

function shown(truth: readonly [number, number] | null): string {
  return truth === null ? "—" : `${truth[0].toFixed(2)}–${truth[1].toFixed(2)}`;
}

/**
 * Requests ten equally spaced fixed levels take to say as much: levels as close as the narrowest interval found, each held
 * for as many requests as it took to decide the ends of that interval.
 */
function fixedLevels(summary: SweepSummary, top: number): number {
  const shape = summary.shapes[0];
  if (shape === undefined) return 0;
  const ends = new Set(
    shape.capacities.flatMap((one) => [one.passRatePerSecond, one.failRatePerSecond]),
  );
  const deciding = shape.points.filter(
    ({ offeredRatePerSecond }) => offeredRatePerSecond !== null && ends.has(offeredRatePerSecond),
  );
  const most = Math.max(
    0,
    ...deciding.map((point) => point.sent / (point.offeredRatePerSecond ?? 1)),
  );
  // Every level for as long as the longest that decided; ten of them, evenly up to the top.
  return Math.round(
    Array.from({ length: 10 }, (_, index) => (most * top * (index + 1)) / 10).reduce(
      (a, b) => a + b,
      0,
    ),
  );
}
