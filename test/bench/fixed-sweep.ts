import type { Exchange } from "../../engines/exchange.ts";
import type { Shape } from "../../load/prompts/shape.ts";
import type { Verdict } from "../../load/results/point.ts";
import { type Objective, readObjective } from "../../load/sweep/objective.ts";
import type { PointTask } from "../../load/sweep/plan.ts";
import { courseOf } from "../../load/sweep/course.ts";
import { PointRecord } from "../../load/sweep/point-record.ts";
import type { Sample } from "../../load/sweep/sample.ts";
import { judge, SINGLE_CONFIDENCE } from "../../load/sweep/verdict.ts";
import { pointVirtually } from "../harness/virtual-sweep.ts";
import { engine, watched } from "./simulated.ts";

const LEVELS = 10;
/** Lengths a level may have. */
const SECONDS = [10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320];
/** A fixed length has to be right in nine runs of ten: nobody looks and goes on. */
const RUNS = 10;
const RIGHT_MIN = 0.9;
const FIRST_SEED = 5_000;
const SETTLE_MS = 20_000;

/** A sweep of ten levels that says as much as another of some width. */
export interface FixedSweep {
  readonly seconds: number;
  /** The longest length tried was still too short: the true number is higher. */
  readonly atLeast: boolean;
  readonly requests: number;
}

/**
 * Ten rates as far apart as the interval is wide, but no closer than ten levels need be from nothing to the top; the
 * highest half a width above the capacity, which nobody knows beforehand. All are held for the same time: as long as rates
 * half a width below and above the capacity need to be judged right, by the sweeps' own rule, in nine runs of ten.
 */
export async function fixedSweep(
  shape: Shape,
  about: {
    readonly capacity: number;
    readonly width: number;
    readonly objectives: readonly string[];
  },
): Promise<FixedSweep> {
  const { capacity, width } = about;
  const [below, above] = [capacity * (1 - width / 2), capacity * (1 + width / 2)];
  const objectives = about.objectives.map(readObjective);
  const needed = Math.max(
    await secondsFor(shape, below, { objectives, wanted: "pass" }),
    await secondsFor(shape, above, { objectives, wanted: "fail" }),
  );
  const seconds = Math.min(needed, SECONDS.at(-1) ?? 0);
  const step = Math.min(width * capacity, above / LEVELS);
  const perSecond = Array.from({ length: LEVELS }, (_, level) => above - level * step).reduce(
    (sum, rate) => sum + rate,
    0,
  );
  const requests = Math.round(perSecond * (seconds + SETTLE_MS / 1000));
  return { seconds, atLeast: needed > seconds, requests };
}

/** Shortest length at which enough runs are judged right for every objective; `Infinity` when none of those tried is. */
async function secondsFor(
  shape: Shape,
  ratePerSecond: number,
  { objectives, wanted }: { readonly objectives: readonly Objective[]; readonly wanted: Verdict },
): Promise<number> {
  const right = new Map<number, number>();
  for (let run = 0; run < RUNS; run++) {
    const record = await held(shape, ratePerSecond, FIRST_SEED + run);
    for (const seconds of SECONDS) {
      const verdicts = objectives.map((objective) => verdictOf(record, objective, seconds));
      if (verdicts.every((verdict) => verdict === wanted)) {
        right.set(seconds, (right.get(seconds) ?? 0) + 1);
      }
    }
  }
  return SECONDS.find((seconds) => (right.get(seconds) ?? 0) >= RIGHT_MIN * RUNS) ?? Infinity;
}

interface Held {
  readonly task: PointTask;
  readonly record: PointRecord;
  readonly samples: readonly Sample[];
}

/** Holds a rate for the longest length there is and keeps all of it. */
async function held(shape: Shape, ratePerSecond: number, seed: number): Promise<Held> {
  const { clock, target } = engine();
  const record = new PointRecord(clock.nowMs(), 1000 / ratePerSecond);
  const samples: Sample[] = [];
  const seconds = (): void => {
    const now = Math.floor((clock.nowMs() - record.startedMs) / 1000);
    while (record.inFlightEachSecond.length <= now) {
      record.inFlightEachSecond.push(record.inFlight);
    }
  };
  const windowMs = (SECONDS.at(-1) ?? 0) * 1000;
  const load = { mode: "open", arrivals: "poisson", ratePerSecond, cv: 1 } as const;
  const stop = { settleMsMin: SETTLE_MS, windowMsMin: windowMs, windowMsMax: windowMs };
  const looked = watched(target, {
    sent: (plannedMs) => {
      seconds();
      record.send(plannedMs, clock.nowMs());
    },
    ended: (exchange: Exchange) => {
      seconds();
      samples.push(record.end(exchange, 0, shape));
    },
  });
  await pointVirtually(clock, looked, { load, shape, seed, stop: { ...stop, inFlightMax: 5_000 } });
  const task = { load, cohort: null, stop: { passStays: 0 } } as PointTask;
  return { task, record, samples: samples.toSorted((a, b) => a.plannedMs - b.plannedMs) };
}

function verdictOf(
  { task, record, samples }: Held,
  objective: Objective,
  seconds: number,
): Verdict {
  const window = [SETTLE_MS, SETTLE_MS + seconds * 1000] as const;
  return judge(objective, {
    confidence: SINGLE_CONFIDENCE,
    samples: samples.filter(({ plannedMs }) => plannedMs >= window[0] && plannedMs < window[1]),
    ...courseOf(task, record, window),
    // A rule of sweeps that may look again; it would refuse one fixed window in ten by chance.
    stillFills: false,
    meanGapMs: record.meanGapMs,
  }).verdict;
}
