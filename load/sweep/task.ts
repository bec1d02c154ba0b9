import { cohortAt } from "./cohort.ts";
import type { Load, PointTask, StopRule } from "./plan.ts";
import { aloneOf, mostOf, type ShapeState } from "./shape-state.ts";

/** Settling takes at least so long, and two requests' stay; a level of a minute-long sweep less. */
const SETTLE_MS_MIN = 5_000;
const SETTLE_STAYS = 2;
const SETTLE_SHARE_MAX = 1 / 3;
/** More than this many times the best concurrency at once, and an open loop is over-saturated. */
const IN_FLIGHT_FACTOR = 4;
const IN_FLIGHT_MIN = 64;
const PRECISION = 0.05;
/**
 * Just above what an engine carries it takes minutes to fill, and until then looks like one that never will. A rate this
 * close to the highest throughput of a closed loop passes only in a window so many stays long.
 */
const NEAR_TOP = 0.98;
const PASS_STAYS = 20;

/** A task of this workload; its rule is filled in from the preset but for what `stop` says. */
export function taskOf(
  state: ShapeState,
  about: Pick<PointTask, "stage" | "load"> & {
    readonly stop: Pick<StopRule, "windowMsMin" | "windowMsMax" | "requests"> & Partial<StopRule>;
    readonly repeat?: number;
    readonly name?: string;
  },
): PointTask {
  const { stage, load, stop, repeat = 0 } = about;
  const { workload } = state;
  const aloneMs = aloneOf(state)?.e2eMs ?? 0;
  const settleMs = Math.max(SETTLE_STAYS * aloneMs, SETTLE_MS_MIN);
  const suffix = repeat === 0 ? "" : `#${repeat + 1}`;
  return {
    pointId: about.name ?? `${workload.name}/${stage}-${loadName(load)}${suffix}`,
    shape: workload.name,
    stage,
    load,
    repeat,
    cohort: load.mode === "open" ? cohortAt(state, load.ratePerSecond) : null,
    stop: {
      settleMsMin: Math.min(settleMs, stop.windowMsMax * SETTLE_SHARE_MAX),
      precision: PRECISION,
      decide: [],
      untilStable: false,
      passStays: isNearTop(state, load) ? PASS_STAYS : 0,
      inFlightMax: Math.max(IN_FLIGHT_MIN, IN_FLIGHT_FACTOR * (mostOf(state)?.concurrency ?? 0)),
      ...stop,
    },
  };
}

function isNearTop(state: ShapeState, load: Load): boolean {
  const top = mostOf(state)?.ratePerSecond;
  return load.mode === "open" && top !== undefined && load.ratePerSecond > NEAR_TOP * top;
}

/** `c8`, `r6.41`. */
export function loadName(load: Load): string {
  return load.mode === "closed" ? `c${load.concurrency}` : `r${rounded(load.ratePerSecond)}`;
}

/** Four digits: enough to tell levels apart, few enough to read, and the same on every machine. */
export function rounded(ratePerSecond: number): number {
  return Number(ratePerSecond.toPrecision(4));
}
