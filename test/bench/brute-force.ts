import type { Shape } from "../../load/prompts/shape.ts";
import type { Point } from "../../load/results/point.ts";
import { bracketOf, triedOf } from "../../load/sweep/bracket.ts";
import { pointVirtually } from "../harness/virtual-sweep.ts";
import { engine, OBJECTIVES } from "./simulated.ts";

/** Rates of the grid as shares of the highest throughput: 1.5 % apart where the engine breaks. */
const GRID = [0.85, 0.9, 0.93, 0.945, 0.96, 0.975, 0.99, 1.005, 1.02, 1.035, 1.05, 1.065];
/** Ten times the window of a standard level. */
const WINDOW_MS = 10 * 120_000;
/** Seeds no sweep uses. */
const FIRST_SEED = 1_000;

/** An interval; an end that was not found is `null`. */
export interface Ends {
  readonly pass: number | null;
  readonly fail: number | null;
}

/** Every rate of the grid held for twenty minutes, each on a fresh engine. */
export async function bruteForce(shape: Shape, top: number): Promise<readonly Point[]> {
  const points: Point[] = [];
  for (const [index, fraction] of GRID.entries()) {
    const { clock, target } = engine();
    const ratePerSecond = Number((fraction * top).toPrecision(4));
    points.push(
      await pointVirtually(clock, target, {
        load: { mode: "open", arrivals: "poisson", ratePerSecond, cv: 1 },
        shape,
        objectives: OBJECTIVES,
        seed: FIRST_SEED + index,
        stop: {
          settleMsMin: 60_000,
          windowMsMin: WINDOW_MS,
          windowMsMax: WINDOW_MS,
          inFlightMax: 5_000,
        },
      }),
    );
  }
  return points;
}

/** Highest rate that passes below every fail, lowest that fails above every pass: by the rule of the sweeps. */
export function endsOf(points: readonly Point[], objective: string): Ends {
  const { pass, fail } = bracketOf(triedOf(points, objective));
  return { pass, fail };
}

/** Where the capacity most likely lies between them. */
export function middleOf({ pass, fail }: Ends): number {
  return Math.sqrt((pass ?? fail ?? 0) * (fail ?? pass ?? 0));
}

/** Two intervals agree when they overlap. */
export function agree(a: Ends, b: Ends): boolean {
  return (a.pass ?? 0) <= (b.fail ?? Infinity) && (b.pass ?? 0) <= (a.fail ?? Infinity);
}
