import type { PointTask } from "./plan.ts";
import { BIN_MS, type PointRecord, sumBetween } from "./point-record.ts";
import { empties, isBehind, isGrowing, meanOf, neverFallsBack, stillFills } from "./saturation.ts";
import type { Judged } from "./verdict.ts";

/** What it began with no longer counts after so many stays. */
const FORGET_STAYS = 10;

/**
 * How an open-loop window went. It fell behind when fewer requests end than arrive and those under way grow throughout, by
 * more than chance sent beyond the plan: no longer window would change that.
 */
export function courseOf(
  { load, stop, cohort }: PointTask,
  record: PointRecord,
  window: readonly [fromMs: number, toMs: number],
): Pick<Judged, "fellBehind" | "stillFills" | "stillEmpties"> {
  if (load.mode === "closed") {
    return { fellBehind: false, stillFills: false, stillEmpties: false };
  }
  const [from, to] = window;
  const seconds = Math.max(1, to - from) / 1000;
  const completed = sumBetween(record.completions, from, to);
  const offered = sumBetween(record.arrivals, from, to) / seconds;
  const inFlight = inFlightIn(record, window);
  const isShort = isBehind(offered, completed / seconds, completed) || neverFallsBack(inFlight);
  const staySeconds = meanOf(inFlight) / load.ratePerSecond;
  return {
    fellBehind: isShort && growsIn(record, window, offered),
    stillEmpties: cohort !== null && seconds < FORGET_STAYS * staySeconds && empties(inFlight),
    stillFills: stillFills(inFlight) || seconds < stop.passStays * staySeconds,
  };
}

/** Requests under way at each second of a window. */
export function inFlightIn(
  record: PointRecord,
  [from, to]: readonly [fromMs: number, toMs: number],
): readonly number[] {
  return record.inFlightEachSecond.slice(Math.ceil(from / 1000), Math.floor(to / 1000) + 1);
}

/** Whether they grow through it, and would have without those that chance sent beyond the plan. */
export function growsIn(
  record: PointRecord,
  window: readonly [fromMs: number, toMs: number],
  offered: number,
): boolean {
  const inFlight = inFlightIn(record, window);
  if (!isGrowing(inFlight, offered)) return false;
  const { meanGapMs } = record;
  return meanGapMs === null || isGrowing(lessChance(inFlight, record, window[0]), offered);
}

function lessChance(
  inFlight: readonly number[],
  record: PointRecord,
  fromMs: number,
): readonly number[] {
  const gapMs = record.meanGapMs ?? Infinity;
  let [surplus, atMs] = [0, fromMs];
  return inFlight.map((count, index) => {
    const untilMs = Math.ceil(fromMs / 1000 + index) * 1000;
    for (; atMs < untilMs; atMs += BIN_MS) {
      surplus += sumBetween(record.arrivals, atMs, atMs + BIN_MS) - BIN_MS / gapMs;
    }
    return count - surplus;
  });
}
