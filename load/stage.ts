import type { Clock } from "../engines/clock.ts";
import type { Exchange } from "../engines/exchange.ts";
import type { Random } from "../engines/random.ts";
import type { Pacer } from "./pacers/pacer.ts";
import type { PlannedPrompt, Prompt, Target } from "./target.ts";

export interface StageOptions {
  readonly target: Target;
  readonly pacer: Pacer;
  /** The prompt of request number `index`. */
  readonly prompt: (random: Random, index: number) => Prompt;
  readonly clock: Clock;
  readonly random: Random;
  /** `run/point` every record carries. */
  readonly label: string;
  /** No more requests go out once it aborts. */
  readonly sending: AbortSignal;
  /** Requests under way are cut once it aborts. */
  readonly finishing: AbortSignal;
  readonly onExchange: (exchange: Exchange, sendLagMs: number) => void;
}

/** What a stage did. */
export interface StageReport {
  readonly sent: number;
  /** Requests not sent because {@link IN_FLIGHT_MAX} were under way: the load was not what the plan says. */
  readonly capped: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** A guard against running out of sockets, not a pacing device; when it strikes the stage says so. */
export const IN_FLIGHT_MAX = 8_192;
/** Waits are cut to this, so that an abort or an ended request is noticed in time. */
const WAIT_MS_MAX = 1_000;

/**
 * Sends what the pacer wants when it wants it, and waits for every answer. Latency counts from the planned moment;
 * how late each request really left is reported beside it.
 */
export async function runStage(options: StageOptions): Promise<StageReport> {
  const { clock, pacer, sending } = options;
  const startedMs = clock.nowMs();
  const flights = new Set<Promise<void>>();
  let sent = 0;
  let capped = 0;
  while (!sending.aborted) {
    const elapsedMs = clock.nowMs() - startedMs;
    const pace = pacer.next(elapsedMs, flights.size, sent + capped);
    if (pace.kind === "done") break;
    if (pace.kind === "full") {
      await Promise.race(flights);
      continue;
    }
    const waitMs = pace.atMs - elapsedMs;
    if (waitMs > 0) {
      await clock.after(Math.min(waitMs, WAIT_MS_MAX), sending);
      continue;
    }
    if (flights.size >= IN_FLIGHT_MAX) {
      capped++;
      continue;
    }
    const flight = fly(options, startedMs + pace.atMs, sent + capped);
    flights.add(flight);
    void flight.finally(() => flights.delete(flight));
    sent++;
    // Let answers in between two sends of a burst.
    if (sent % 64 === 0) await clock.after(0);
  }
  await Promise.all(flights);
  return { sent, capped, startedMs, endedMs: clock.nowMs() };
}

async function fly(options: StageOptions, plannedMs: number, index: number): Promise<void> {
  const { target, prompt, clock, random, label, finishing, onExchange } = options;
  const planned: PlannedPrompt = { ...prompt(random, index), plannedMs, label };
  const lagMs = clock.nowMs() - plannedMs;
  onExchange(await target.send(planned, finishing), lagMs);
}
