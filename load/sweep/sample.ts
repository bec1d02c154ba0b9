import { type Exchange, e2eMs, tpotMs, ttftMs } from "../../engines/exchange.ts";
import type { Metric } from "./objective.ts";

/** One ended request of a point; times in ms from the point's start. Made once from its Exchange, which is then let go. */
export interface Sample {
  readonly plannedMs: number;
  readonly endedMs: number;
  readonly sendLagMs: number;
  /** How it counts: an own cut at the point's end is `censored`, everything that went wrong is `failed`. */
  readonly kind: "completed" | "failed" | "censored";
  readonly outcome: Exchange["outcome"]["kind"];
  /** Error code of a failed one. */
  readonly code: string | null;
  /** `null`: no token was seen. */
  readonly ttftMs: number | null;
  /** To the first output that was no reasoning; `null`: there was none. */
  readonly ttfotMs: number | null;
  /** `null`: not defined for one token. */
  readonly tpotMs: number | null;
  /** To the last token, or to the cut. */
  readonly e2eMs: number;
  /** Longest wait between two output events; `null` with fewer than two. */
  readonly stallMs: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly countedBy: string;
  readonly nominalInput: number;
  readonly nominalOutput: number;
  /** Gaps between output events; empty once a point holds {@link GAPS_MAX} of them. */
  readonly gapsMs: Float32Array;
  readonly outputEvents: number;
}

/** Gaps a point keeps for its ITL percentiles: four thousand answers of five hundred tokens, 8 MiB. */
export const GAPS_MAX = 2_000_000;

const NO_GAPS = new Float32Array(0);

/** What was asked for, which the record does not know. */
export interface Nominal {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Reads a record as a sample of the point that began at `startedMs`. */
export function sampleOf(
  exchange: Exchange,
  about: { readonly startedMs: number; readonly sendLagMs: number; readonly nominal: Nominal },
): Sample {
  const { outcome, times, tokens } = exchange;
  const gapsMs = gapsOf(exchange.outputOffsetsMs);
  return {
    plannedMs: times.startedMs - about.startedMs,
    endedMs: times.endedMs - about.startedMs,
    sendLagMs: about.sendLagMs,
    kind:
      outcome.kind === "completed"
        ? "completed"
        : outcome.kind === "cancelled"
          ? "censored"
          : "failed",
    outcome: outcome.kind,
    code: "code" in outcome ? outcome.code : null,
    ttftMs: ttftMs(exchange),
    ttfotMs: times.firstAnswerMs === null ? null : times.firstAnswerMs - times.startedMs,
    tpotMs: tpotMs(exchange),
    e2eMs: e2eMs(exchange),
    stallMs: longest(gapsMs),
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cachedTokens: tokens.cachedInput,
    countedBy: tokens.countedBy,
    nominalInput: about.nominal.inputTokens,
    nominalOutput: about.nominal.outputTokens,
    gapsMs,
    outputEvents: exchange.outputEvents,
  };
}

/**
 * A latency as objectives see it: `Infinity` for a request that failed or was cut before it got so far, `null` where the
 * latency is not defined (TPOT of a single token).
 */
export function latencyOf(sample: Sample, metric: Metric): number | null {
  if (sample.kind === "failed") return Infinity;
  const cut = sample.kind === "censored";
  switch (metric) {
    case "ttft":
      return sample.ttftMs ?? Infinity;
    case "tpot":
      return cut ? Infinity : sample.tpotMs;
    case "e2e":
      return cut ? Infinity : sample.e2eMs;
    case "stall":
      return cut ? Infinity : (sample.stallMs ?? 0);
  }
}

/** Without its gaps: what a long point keeps once it has enough of them. */
export function withoutGaps(sample: Sample): Sample {
  return { ...sample, gapsMs: NO_GAPS };
}

function gapsOf(offsetsMs: Float32Array): Float32Array {
  if (offsetsMs.length < 2) return NO_GAPS;
  const gaps = new Float32Array(offsetsMs.length - 1);
  for (let index = 1; index < offsetsMs.length; index++) {
    gaps[index - 1] = (offsetsMs[index] ?? 0) - (offsetsMs[index - 1] ?? 0);
  }
  return gaps;
}

function longest(gapsMs: Float32Array): number | null {
  if (gapsMs.length === 0) return null;
  let most = 0;
  for (const gapMs of gapsMs) if (gapMs > most) most = gapMs;
  return most;
}
