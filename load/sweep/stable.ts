import { ascending, percentile } from "../statistics/percentile.ts";
import type { Sample } from "./sample.ts";

/** Answers compared with as many before them. */
const GROUP = 5;
/** Medians this close count as equal. */
const DIFFERENCE_MAX = 0.1;

/** True once at least `requests` answers are in and the last ones look like those before: the engine is warm. */
export function isStable(samples: readonly Sample[], requests: number): boolean {
  const completed = samples.filter((sample) => sample.kind === "completed");
  if (completed.length < Math.max(requests, 2 * GROUP)) return false;
  return (
    isLevel(completed, (sample) => sample.ttftMs) && isLevel(completed, (sample) => sample.tpotMs)
  );
}

function isLevel(samples: readonly Sample[], of: (sample: Sample) => number | null): boolean {
  const values = samples.map(of).filter((value) => value !== null);
  if (values.length < 2 * GROUP) return true;
  const last = percentile(ascending(values.slice(-GROUP)), 0.5) ?? 0;
  const before = percentile(ascending(values.slice(-2 * GROUP, -GROUP)), 0.5) ?? 0;
  return Math.abs(last - before) <= DIFFERENCE_MAX * Math.max(last, before);
}
