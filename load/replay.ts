import type { Clock } from "../engines/clock.ts";
import type { Exchange } from "../engines/exchange.ts";
import { forkRandom, type Random } from "../engines/random.ts";
import { tracedPrompt } from "./prompts/traced.ts";
import { IN_FLIGHT_MAX } from "./stage.ts";
import type { Target } from "./target.ts";
import type { TraceRow } from "./trace.ts";

export interface ReplayOptions {
  readonly trace: readonly TraceRow[];
  readonly target: Target;
  /** How many times faster than recorded. */
  readonly speed: number;
  /** Starts over when the trace ends, until aborted. */
  readonly loop: boolean;
  readonly seed: number;
  readonly clock: Clock;
  /** Aborting ends sending and cuts what is under way. */
  readonly signal: AbortSignal;
  readonly onExchange: (exchange: Exchange, sendLagMs: number) => void;
}

/** What a replay did. */
export interface ReplayReport {
  readonly sent: number;
  /** Turns that had to wait for the turn before them: the target was slower than the one recorded. */
  readonly delayedTurns: number;
  /** Requests left out because {@link IN_FLIGHT_MAX} were under way: the load was not the trace's. */
  readonly capped: number;
}

/** Waits are cut to this, so that an abort is noticed in time. */
const WAIT_MS_MAX = 1_000;

/**
 * Drives a trace of shapes through a target at its recorded moments: open between sessions, closed inside one, since nobody
 * asks the next question before the answer. Resolves when every answer is in.
 */
export async function replayTrace(options: ReplayOptions): Promise<ReplayReport> {
  const total = { sent: 0, delayedTurns: 0, capped: 0 };
  for (let round = 0; (round === 0 || options.loop) && !options.signal.aborted; round++) {
    const report = await new Replay(options, round).run();
    total.sent += report.sent;
    total.delayedTurns += report.delayedTurns;
    total.capped += report.capped;
  }
  return total;
}

/** One pass through the trace. */
class Replay {
  readonly #options: ReplayOptions;
  readonly #label: string;
  readonly #random: Random;
  readonly #startedMs: number;
  readonly #flights = new Set<Promise<void>>();
  /** When the last turn of each session ended, for the sessions that have one under way or behind them. */
  readonly #lastTurns = new Map<string, Promise<number>>();
  readonly #turnsLeft: Map<string, number>;
  #sent = 0;
  #delayedTurns = 0;
  #capped = 0;

  constructor(options: ReplayOptions, round: number) {
    this.#options = options;
    this.#label = `replay/${round}`;
    this.#random = forkRandom(options.seed, `replay-${round}`);
    this.#startedMs = options.clock.nowMs();
    this.#turnsLeft = countTurns(options.trace);
  }

  async run(): Promise<ReplayReport> {
    const { trace, speed, clock, signal } = this.#options;
    // A piece cut out of a trace begins at once, not after the time before it.
    const firstMs = trace[0]?.atMs ?? 0;
    for (const row of trace) {
      const dueMs = this.#startedMs + (row.atMs - firstMs) / speed;
      await waitUntil(clock, dueMs, signal);
      if (signal.aborted) break;
      if (this.#flights.size >= IN_FLIGHT_MAX) this.#capped++;
      else this.#begin(row, dueMs);
      // Let answers in between the sends of a burst.
      if (this.#sent % 64 === 63) await clock.after(0);
    }
    await Promise.all(this.#flights);
    return { sent: this.#sent, delayedTurns: this.#delayedTurns, capped: this.#capped };
  }

  #begin(row: TraceRow, dueMs: number): void {
    const session = row.session ?? null;
    this.#sent++;
    const ended = session === null ? this.#send(row, dueMs) : this.#turn(row, session, dueMs);
    const flight = ended.then(() => {
      this.#flights.delete(flight);
    });
    this.#flights.add(flight);
  }

  #turn(row: TraceRow, session: string, dueMs: number): Promise<number> {
    const before = this.#lastTurns.get(session);
    const ended =
      before === undefined ? this.#send(row, dueMs) : this.#afterTurn(row, before, dueMs);
    const left = (this.#turnsLeft.get(session) ?? 1) - 1;
    this.#turnsLeft.set(session, left);
    if (left > 0) this.#lastTurns.set(session, ended);
    else this.#lastTurns.delete(session);
    return ended;
  }

  async #afterTurn(row: TraceRow, before: Promise<number>, dueMs: number): Promise<number> {
    const { speed, clock, signal } = this.#options;
    const earliestMs = (await before) + (row.thinkMs ?? 0) / speed;
    if (signal.aborted) return clock.nowMs();
    if (earliestMs <= dueMs) return this.#send(row, dueMs);
    this.#delayedTurns++;
    await waitUntil(clock, earliestMs, signal);
    return signal.aborted ? clock.nowMs() : this.#send(row, earliestMs);
  }

  /** Sends one request; resolves with the moment it ended. */
  async #send(row: TraceRow, plannedMs: number): Promise<number> {
    const { target, clock, signal, onExchange } = this.#options;
    const prompt = { ...tracedPrompt(row, this.#random), plannedMs, label: this.#label };
    const lagMs = clock.nowMs() - plannedMs;
    const exchange = await target.send(prompt, signal);
    onExchange(exchange, lagMs);
    return exchange.times.endedMs;
  }
}

async function waitUntil(clock: Clock, dueMs: number, signal: AbortSignal): Promise<void> {
  for (let waitMs = dueMs - clock.nowMs(); waitMs > 0; waitMs = dueMs - clock.nowMs()) {
    if (signal.aborted) return;
    await clock.after(Math.min(waitMs, WAIT_MS_MAX), signal);
  }
}

function countTurns(trace: readonly TraceRow[]): Map<string, number> {
  const turns = new Map<string, number>();
  for (const { session = null } of trace)
    if (session !== null) turns.set(session, (turns.get(session) ?? 0) + 1);
  return turns;
}
