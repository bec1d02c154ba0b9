import { normal, type Random } from "../random.ts";

/** How often, and how long, a step is held up: from the p99 columns of published inter-token times. */
const STALL_SHARE = 1 / 4000;
const STALL_MS_MIN = 20;
const STALL_MS_MAX = 60;

/** A step's time as it comes out: it scatters by `jitter`, and once in a few thousand steps something holds the process up. */
export function disturbed(ms: number, jitter: number, random: Random): number {
  if (jitter === 0) return ms;
  const spread = ms * Math.exp(jitter * normal(random));
  if (random.next() >= STALL_SHARE) return spread;
  return spread + STALL_MS_MIN + (STALL_MS_MAX - STALL_MS_MIN) * random.next();
}
