import { fitLine } from "../statistics/line.ts";
import { ascending, percentile } from "../statistics/percentile.ts";

/** What the saturation test of an open-loop point looks at. */
export interface SaturationSigns {
  readonly offeredRatePerSecond: number;
  readonly completedRatePerSecond: number;
  readonly n: number;
  /** Requests under way grow through the window. */
  readonly grows: boolean;
  /** TTFT in order of planned sends; `Infinity` for requests that never got one. */
  readonly ttftMs: readonly number[];
  readonly censoredShare: number;
}

/** Throughput may fall short of arrivals by this much, or by chance of so many requests. */
const SHORTFALL = 0.05;
/** In-flight requests may grow by this share of arrivals per second. */
const GROWTH_SHARE = 0.02;
const GROWTH_T = 2;
/** What slows down by more than this from one third of a window to the next comes to rest: a queue's long wave does. */
const GROWTH_KEPT = 0.5;
const CENSORED_MAX = 0.05;

/** Signs that a rate cannot be held, in words; two of them make a point saturated. */
export function saturationSigns(signs: SaturationSigns): readonly string[] {
  const { offeredRatePerSecond: offered, completedRatePerSecond: completed } = signs;
  const found: string[] = [];
  if (isBehind(offered, completed, signs.n)) {
    found.push(`completes ${completed.toFixed(2)}/s of ${offered.toFixed(2)}/s that arrive`);
  }
  if (signs.grows) found.push("requests under way grow through the window");
  const [first, , last] = thirds(signs.ttftMs).map((third) => percentile(ascending(third), 0.5));
  if (first !== undefined && first !== null && last !== undefined && last !== null) {
    if (last > 2 * first) found.push("the first token's wait doubles within the window");
  }
  if (signs.censoredShare > CENSORED_MAX) {
    found.push(`${(signs.censoredShare * 100).toFixed(0)} % did not finish`);
  }
  return found;
}

/** True when a rate cannot be held: whatever its latencies, they grow with the length of the run. */
export function isSaturated(signs: readonly string[]): boolean {
  return signs.length >= 2;
}

export function isBehind(offered: number, completed: number, n: number): boolean {
  const slack = Math.max(SHORTFALL, n === 0 ? 1 : 2 / Math.sqrt(n));
  return completed < offered * (1 - slack);
}

export function isGrowing(inFlight: readonly number[], offered: number): boolean {
  const line = fitLine(
    inFlight.map((_, second) => second),
    inFlight,
  );
  if (line === null || line.slope <= GROWTH_SHARE * offered || line.t <= GROWTH_T) return false;
  const [first = 0, middle = 0, last = 0] = thirds(inFlight).map(meanOf);
  if (!isBeyondChance(last - first, (first + last) / 2)) return false;
  return middle > first && last - middle >= GROWTH_KEPT * (middle - first);
}

/** Once over twice what the first third ever held, and never again below it, a queue is no longer going up and down. */
const RISE_MIN = 2;

/** True when the last third never comes down to twice the most the first third held. */
export function neverFallsBack(inFlight: readonly number[]): boolean {
  const [first = [], , last = []] = thirds(inFlight);
  return first.length > 0 && Math.min(...last) > RISE_MIN * Math.max(...first);
}

/** Means of two thirds of a window differ by chance by this many times the root of twice what they hold. */
const CHANCE_DEVIATIONS = 1.5;

/**
 * True while more is under way in the last third of a window than in the middle one, beyond chance. A rate just above what
 * an engine carries takes minutes to fill it: until then all its latencies are those of an engine that is not full.
 */
export function stillFills(inFlight: readonly number[]): boolean {
  const [, middle = 0, last = 0] = thirds(inFlight).map(meanOf);
  return isBeyondChance(last - middle, (middle + last) / 2);
}

/** True when fewer are under way in the last third of a window than in the first. */
export function empties(inFlight: readonly number[]): boolean {
  const [first = 0, , last = 0] = thirds(inFlight).map(meanOf);
  return last < first;
}

/** As many come by chance: two thirds of a window differ by that where neither fills nor empties. */
function isBeyondChance(difference: number, held: number): boolean {
  return difference > CHANCE_DEVIATIONS * Math.sqrt(2 * held);
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function thirds<T>(values: readonly T[]): readonly (readonly T[])[] {
  const at = (part: number): number => Math.floor((values.length * part) / 3);
  return [0, 1, 2].map((part) => values.slice(at(part), at(part + 1)));
}
