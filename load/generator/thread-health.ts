import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "../../engines/clock.ts";
import type { GeneratorHealth, HealthReading } from "./health.ts";

/** How often the loop's punctuality is looked at; a late look is late by this much less. */
const RESOLUTION_MS = 10;
const NANOSECONDS = 1e6;

/** The health of the thread that makes it: how late its event loop is, how much of a core it uses. */
export class ThreadHealth implements GeneratorHealth {
  readonly #clock: Clock;
  readonly #delay: ReturnType<typeof monitorEventLoopDelay>;
  #sinceMs: number;
  #cpu: NodeJS.CpuUsage;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#sinceMs = clock.nowMs();
    this.#cpu = process.threadCpuUsage();
  }

  begin(): void {
    this.#delay.reset();
    this.#sinceMs = this.#clock.nowMs();
    this.#cpu = process.threadCpuUsage();
  }

  read(): HealthReading {
    const { user, system } = process.threadCpuUsage(this.#cpu);
    const elapsedMs = this.#clock.nowMs() - this.#sinceMs;
    const late = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / NANOSECONDS;
    return {
      loopDelayP99Ms: Math.max(0, late - RESOLUTION_MS),
      cpuShare: elapsedMs <= 0 ? null : (user + system) / 1000 / elapsedMs,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
