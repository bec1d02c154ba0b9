import type { Point } from "../results/point.ts";
import { gains, levelsOf, mostOf, type ShapeState, throughputOf } from "./shape-state.ts";

/**
 * A full engine fills slowly: near its highest throughput it takes minutes until as many requests are under way as a rate
 * keeps under way for good. So an open loop begins with that many, of all ages: what is already behind one of age 0.4 is
 * part of its prompt, and it has 0.6 of its answer to go. That is the state a long run would be in.
 */
export interface Cohort {
  /** Requests under way. */
  readonly count: number;
  /** How long each stays from beginning to end. */
  readonly stayMs: number;
  /** More than the rate is known to keep under way: it fills an engine that is to be shown full. */
  readonly fills: boolean;
}

/** One of them: when it is sent, and what share of its answer is then behind it. */
export interface Arrival {
  readonly atMs: number;
  readonly age: number;
}

/** Multiples of it fill the interval from 0 to 1 evenly, however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Time over which they arrive, each: in step they would stay a convoy, and their prompts would hold up each other. */
const RAMP_MS_PER_REQUEST = 50;
const RAMP_MS_MAX = 10_000;

/** Ages of users who have been there for long, evenly spread. */
export function ageOf(index: number): number {
  return (index * GOLDEN) % 1;
}

/** Time over which so many users arrive. */
export function rampMsOf(count: number): number {
  return Math.min(count * RAMP_MS_PER_REQUEST, RAMP_MS_MAX);
}

/**
 * When to send them so that, at the end of the ramp, they are of all ages: the young ones when they would have come
 * anyhow, the old ones on the way, as old as they will then have to be.
 */
export function arrivalsOf({ count, stayMs }: Omit<Cohort, "fills">): readonly Arrival[] {
  const rampMs = rampMsOf(count);
  const agesMs = Array.from({ length: count }, (_, index) => ageOf(index) * stayMs);
  const [young, old] = [
    agesMs.filter((ageMs) => ageMs <= rampMs),
    agesMs.filter((ageMs) => ageMs > rampMs),
  ];
  const aged = old.map((ageMs, index) => {
    const atMs = (index * rampMs) / old.length;
    return { atMs, age: (ageMs - (rampMs - atMs)) / stayMs };
  });
  const fresh = young.map((ageMs) => ({ atMs: rampMs - ageMs, age: 0 }));
  return [...aged, ...fresh].sort((a, b) => a.atMs - b.atMs);
}

/** Fewer under way are there by themselves before the window opens. */
const COHORT_MIN = 8;
/**
 * At most as many as made the highest throughput; clearly above it as many as the ladder has held, and more where those
 * still gained. An engine that is to be shown full has to be full, one that may yet carry the rate must not be buried.
 */
const CLEARLY_ABOVE = 1.02;

/**
 * Requests under way at a rate for good, by Little's law: the stay grows in a line from one closed-loop level to the next,
 * or as it did between the two below, whichever makes fewer: to begin with too few only takes longer.
 */
export function cohortAt(state: ShapeState, ratePerSecond: number): Cohort | null {
  const levels = levelsOf(state).filter((point) => throughputOf(point) > 0);
  const found = levels.findIndex((point) => throughputOf(point) >= ratePerSecond);
  const above = found === -1 ? levels.length : found;
  if (above === 0) return null;
  const pairs = [levels.slice(above - 1, above + 1), levels.slice(Math.max(0, above - 2), above)];
  const guesses = pairs.map(([low, high]) => meeting(low, high, ratePerSecond));
  const most = mostOf(state);
  const isAbove = ratePerSecond > CLEARLY_ABOVE * (most?.ratePerSecond ?? 0);
  const [before, last] = [levels.at(-2), levels.at(-1)];
  const isFull = before !== undefined && last !== undefined && !gains(before, last);
  const { overfill = 1 } = state.plan.preset.ladder;
  const highest = (isFull ? 1 : overfill) * (last?.concurrency ?? 0);
  const count = Math.floor(Math.min(isAbove ? highest : (most?.concurrency ?? 0), ...guesses));
  const stayMs = (count * 1000) / ratePerSecond;
  return count < COHORT_MIN ? null : { count, stayMs, fills: isAbove };
}

/** Where the line of stays through two levels meets the rate; `Infinity` where it never does. */
function meeting(low: Point | undefined, high: Point | undefined, ratePerSecond: number): number {
  if (low === undefined || high === undefined) return Infinity;
  const [fewer, more] = [low.concurrency ?? 0, high.concurrency ?? 0];
  const [short, long] = [fewer / throughputOf(low), more / throughputOf(high)];
  const slope = (long - short) / (more - fewer);
  const part = 1 - ratePerSecond * slope;
  const count = (ratePerSecond * (short - slope * fewer)) / part;
  return part > 0 && count > 0 ? count : Infinity;
}
