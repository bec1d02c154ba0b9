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
export function arrivalsOf({ count, stayMs }: Cohort): readonly Arrival[] {
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
