import type { LatencySummary, Point } from "../../../load/results/point.ts";
import type { ShapeSummary, SweepSummary } from "../../../load/results/summary.ts";

/** A latency summary around `p50` with an interval of ±`spread`. */
export function latency(p50: number, spread = 0.05, n = 200): LatencySummary {
  return {
    n,
    censored: 0,
    mean: p50 * 1.1,
    sd: p50 * 0.3,
    p50,
    p90: p50 * 1.5,
    p95: p50 * 2,
    p99: p50 * 3,
    max: p50 * 4,
    low: p50 * (1 - spread),
    high: p50 * (1 + spread),
    p95Low: p50 * 2 * (1 - spread),
    p95High: p50 * 2 * (1 + spread),
  };
}

/** A finished point with figures that hang together; `more` says what is special about it. */
export function point(pointId: string, more: Partial<Point> = {}): Point {
  const tokens = { nominal: 128, p50: 128, min: 128, max: 128, mean: 128, onTarget: 1 };
  return {
    pointId,
    shape: "1024x128",
    stage: "ladder",
    mode: "closed",
    arrivals: "closed",
    concurrency: 8,
    offeredRatePerSecond: null,
    repeat: 0,
    startedMs: 1_700_000_000_000,
    settleMs: 1000,
    windowMs: 20_000,
    drainMs: 500,
    stopReason: "precise",
    sent: 220,
    n: 200,
    completed: 200,
    failed: 0,
    censored: 0,
    outcomes: { completed: 200 },
    failedBy: {},
    sentRatePerSecond: 10,
    completedRatePerSecond: 10,
    completedRateHalfWidth: 0.2,
    outputTokensPerSecond: 1280,
    outputTokensHalfWidth: 20,
    inputTokensPerSecond: 10_240,
    inFlightMean: 8,
    inFlightMax: 8,
    littleError: 0.01,
    ttftMs: latency(40),
    serviceTtftMs: latency(39),
    tpotMs: latency(7),
    itlMs: latency(7),
    iclMs: latency(7),
    e2eMs: latency(930),
    stallMs: latency(20),
    sendLagP99Ms: 0.8,
    errorAdjustedE2eMs: { p50: 930, p95: 1860 },
    inputTokens: { ...tokens, nominal: 1024, p50: 1024 },
    outputTokens: tokens,
    cachedInputShare: null,
    countedBy: { usage: 200 },
    verdicts: [],
    saturated: false,
    saturatedBecause: [],
    flags: [],
    warnings: [],
    valid: true,
    invalidBecause: null,
    generator: { sendLagP99Ms: 0.8, loopDelayP99Ms: 1.2, cpuShare: 0.1, eventsPerSecond: 1280 },
    series: [],
    ...more,
  };
}

/** An open-loop point of the envelope. */
export function openPoint(rate: number, more: Partial<Point> = {}): Point {
  return point(`r${rate}`, {
    stage: "envelope",
    mode: "open",
    arrivals: "poisson",
    concurrency: null,
    offeredRatePerSecond: rate,
    completedRatePerSecond: rate,
    outputTokensPerSecond: rate * 128,
    ...more,
  });
}

export function shape(points: readonly Point[], more: Partial<ShapeSummary> = {}): ShapeSummary {
  return {
    shape: "1024x128",
    skippedBecause: null,
    points,
    capacities: [
      {
        objective: "ttft_p95<=1s",
        verdict: "bounded",
        passRatePerSecond: 6.4,
        failRatePerSecond: 6.7,
        sentence: "holds 6.40 req/s, not 6.70",
      },
    ],
    minimum: { ttftMs: 31, tpotMs: 6.6, e2eMs: 870 },
    maximum: { requestsPerSecond: 11, outputTokensPerSecond: 1400, concurrency: 64 },
    drift: null,
    ...more,
  };
}

export function summary(
  shapes: readonly ShapeSummary[],
  more: Partial<SweepSummary> = {},
): SweepSummary {
  return {
    schemaVersion: 1,
    runId: "20261124T165501-3f2a",
    valid: true,
    invalidBecause: null,
    interrupted: false,
    headline: "One replica holds 6.4 to 6.7 requests/s at 1024/128 with TTFT p95 <= 1 s.",
    preset: "quick",
    seed: 1,
    startedAt: "2026-11-24T16:55:01.000Z",
    endedAt: "2026-11-24T17:00:02.500Z",
    subject: {
      target: "http://127.0.0.1:8000",
      engine: "vllm",
      engineVersion: "0.25.1",
      model: "meta-llama/Llama-3.1-8B-Instruct",
      modelMaxTokens: 131_072,
    },
    prompts: "token-ids",
    shapes,
    generator: {
      sendLagP99Ms: 0.8,
      loopDelayP99Ms: 1.2,
      cpuShare: 0.12,
      eventsPerSecondMax: 1500,
      ceilingEventsPerSecond: 60_000,
      workers: 1,
    },
    requests: 2_000,
    ...more,
  };
}

/** A whole run: alone, a ladder, an envelope with a saturated end. */
export function wholeRun(more: Partial<SweepSummary> = {}): SweepSummary {
  const points = [
    point("warm-up", { stage: "warm-up", concurrency: 2 }),
    point("c1", {
      stage: "minimum",
      concurrency: 1,
      ttftMs: latency(31),
      tpotMs: latency(6.6),
      outputTokensPerSecond: 150,
    }),
    point("c8"),
    point("c64", {
      stage: "flood",
      concurrency: 64,
      outputTokensPerSecond: 1400,
      ttftMs: latency(900),
      tpotMs: latency(30),
    }),
    openPoint(3.2, { ttftMs: latency(60) }),
    openPoint(6.4, { ttftMs: latency(300) }),
    openPoint(9, { ttftMs: latency(4_000), saturated: true, flags: ["saturated"] }),
  ];
  return summary([shape(points)], more);
}
