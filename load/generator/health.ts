/** How the threads that make the load are doing. In virtual time there is no machine and no health. */
export interface GeneratorHealth {
  /** Starts counting anew: a point begins. */
  begin(): void;
  read(): HealthReading;
}

export interface HealthReading {
  readonly loopDelayP99Ms: number | null;
  /** Of one core, the busiest thread. */
  readonly cpuShare: number | null;
}

/** For virtual time. */
export const noHealth: GeneratorHealth = {
  begin: () => {},
  read: () => ({ loopDelayP99Ms: null, cpuShare: null }),
};

/** Sends later than this at the 99th percentile, and waiting to be sent is part of what was measured. */
export const SEND_LAG_MS_MAX = 5;
/** A slow engine hides a little more lag: this share of its own TTFT. */
export const SEND_LAG_SHARE_MAX = 0.02;
export const LOOP_DELAY_MS_MAX = 20;
export const CPU_SHARE_MAX = 0.85;
/** Of what loopback carried in the self-test: beyond it events queue up in the generator. */
export const CEILING_SHARE_MAX = 0.5;

export interface LimitsSeen {
  readonly sendLagP99Ms: number | null;
  readonly ttftP50Ms: number | null;
  readonly loopDelayP99Ms: number | null;
  readonly cpuShare: number | null;
  readonly eventsPerSecond: number;
  readonly ceilingEventsPerSecond: number | null;
}

/** Why the generator, not the engine, was measured; `null` when it kept up. */
export function clientBound(seen: LimitsSeen): string | null {
  const { sendLagP99Ms, ttftP50Ms, loopDelayP99Ms, cpuShare } = seen;
  const lagMax = Math.max(SEND_LAG_MS_MAX, SEND_LAG_SHARE_MAX * (ttftP50Ms ?? 0));
  if (sendLagP99Ms !== null && sendLagP99Ms > lagMax) {
    return `sends left ${sendLagP99Ms.toFixed(1)} ms late at the p99 (limit ${lagMax.toFixed(1)} ms): the generator was the limit`;
  }
  if (loopDelayP99Ms !== null && loopDelayP99Ms > LOOP_DELAY_MS_MAX) {
    return `the generator's event loop was held up ${loopDelayP99Ms.toFixed(1)} ms at the p99 (limit ${LOOP_DELAY_MS_MAX} ms): give it a core of its own`;
  }
  if (cpuShare !== null && cpuShare > CPU_SHARE_MAX) {
    return `the generator used ${(cpuShare * 100).toFixed(0)} % of a core (limit ${CPU_SHARE_MAX * 100} %): use more --workers`;
  }
  const ceiling = seen.ceilingEventsPerSecond;
  if (ceiling !== null && seen.eventsPerSecond > ceiling * CEILING_SHARE_MAX) {
    return `${seen.eventsPerSecond.toFixed(0)} events/s is more than half of the ${ceiling.toFixed(0)} this machine carried in the self-test: use more --workers or another machine`;
  }
  return null;
}
