import type { Clock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { forkRandom } from "../../engines/random.ts";
import { closedLoop } from "../pacers/closed-loop.ts";
import { uniformPrompts } from "../prompts/shaped.ts";
import { type Point, summarise } from "../results/smoke-point.ts";
import { runStage } from "../stage.ts";
import type { Target } from "../target.ts";

/** Input and output tokens of every request. */
export interface Shape {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface SmokeOptions {
  readonly target: Target;
  readonly shape: Shape;
  readonly runId: string;
  readonly seed: number;
  readonly clock: Clock;
  /** Aborting keeps every finished point. */
  readonly signal: AbortSignal;
  readonly onExchange: (exchange: Exchange, sendLagMs: number) => void;
  readonly onPoint: (point: Point) => void;
}

/** Before a level is measured its users arrive, spread over this time. */
const SETTLE_MS = 1_000;
/** Measured time of a level; longer for one at a time, where samples are rare, and for the flood, whose answers are slow. */
const HOLD_MS = 3_500;
const ALONE_MS = 11_000;
const FLOOD_MS = 14_000;
/** The ladder doubles up to here; the flood is twice that. */
const CONCURRENCY_MAX = 64;
const FLOOD = 256;
/** Doubling the concurrency must gain this much throughput, or the engine is full. */
const GAIN_MIN = 1.05;

/**
 * A minute's look at an engine: one request at a time for the lowest latency, then doubling concurrency until throughput
 * stops growing, then a flood for the highest throughput. Closed loop throughout.
 */
export async function smokeSweep(options: SmokeOptions): Promise<readonly Point[]> {
  const points: Point[] = [];
  const { signal } = options;
  let best = 0;
  for (let concurrency = 1; concurrency <= CONCURRENCY_MAX && !signal.aborted; concurrency *= 2) {
    const point = await level(options, {
      concurrency,
      holdMs: concurrency === 1 ? ALONE_MS : HOLD_MS,
    });
    if (point === null) break;
    points.push(point);
    options.onPoint(point);
    if (point.completed === 0 || point.outputTokensPerSecond < best * GAIN_MIN) break;
    best = Math.max(best, point.outputTokensPerSecond);
  }
  if (signal.aborted || points.at(-1)?.completed === 0) return points;
  const flood = await level(options, { concurrency: FLOOD, holdMs: FLOOD_MS });
  if (flood !== null) {
    points.push(flood);
    options.onPoint(flood);
  }
  return points;
}

/** One level: settle, measure, cut what is left. `null` when interrupted: half a point is no point. */
async function level(
  options: SmokeOptions,
  { concurrency, holdMs }: { readonly concurrency: number; readonly holdMs: number },
): Promise<Point | null> {
  const { target, shape, runId, seed, clock, signal, onExchange } = options;
  const name = shapeName(shape);
  const pointId = `${name}-c${concurrency}`;
  const prompts = uniformPrompts(shape);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const exchanges: Exchange[] = [];
  const lags: number[] = [];
  const fromMs = clock.nowMs() + SETTLE_MS;
  const cancel = clock.schedule(SETTLE_MS + holdMs, () => {
    over.abort();
  });
  await runStage({
    target,
    pacer: closedLoop({ concurrency, rampMs: SETTLE_MS }),
    prompt: (random) => prompts.next(random),
    clock,
    random: forkRandom(seed, pointId),
    label: `${runId}/${pointId}`,
    sending: both,
    finishing: both,
    onExchange: (exchange, lagMs) => {
      onExchange(exchange, lagMs);
      if (exchange.times.endedMs < fromMs) return;
      exchanges.push(exchange);
      lags.push(lagMs);
    },
  });
  cancel();
  if (signal.aborted) return null;
  const windowMs = clock.nowMs() - fromMs;
  return summarise({
    pointId,
    shape: name,
    concurrency,
    offeredRatePerSecond: null,
    windowMs,
    exchanges,
    sendLagsMs: lags,
  });
}

/** `1024x128`. */
export function shapeName({ inputTokens, outputTokens }: Shape): string {
  return `${inputTokens}x${outputTokens}`;
}
