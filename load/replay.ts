import type { Clock } from "../engines/clock.ts";
import type { Exchange } from "../engines/exchange.ts";
import { forkRandom } from "../engines/random.ts";
import { planned } from "./pacers/planned.ts";
import { shapedPrompt } from "./prompts/shaped.ts";
import { runStage } from "./stage.ts";
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

/** Drives a trace of shapes through a target at its recorded moments. Resolves when every answer is in. */
export async function replayTrace(options: ReplayOptions): Promise<{ readonly sent: number }> {
  const { trace, target, speed, loop, seed, clock, signal, onExchange } = options;
  // A piece cut out of a trace begins at once, not after the time before it.
  const firstMs = trace[0]?.atMs ?? 0;
  const atMs = Float64Array.from(trace, (row) => (row.atMs - firstMs) / speed);
  const rounds = loop ? Infinity : 1;
  let sent = 0;
  for (let round = 0; round < rounds && !signal.aborted; round++) {
    const report = await runStage({
      target,
      pacer: planned(atMs),
      prompt: (random, index) =>
        shapedPrompt(trace[index] ?? { inputTokens: 1, outputTokens: 1, blockIds: null }, random),
      clock,
      random: forkRandom(seed, `replay-${round}`),
      label: `replay/${round}`,
      sending: signal,
      finishing: signal,
      onExchange,
    });
    sent += report.sent;
  }
  return { sent };
}
