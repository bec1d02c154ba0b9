import { plainWorkload } from "../../load/prompts/workload.ts";
import type { PointProgress, SweepEvent } from "../../load/sweep/events.ts";
import type { Load, SweepPlan } from "../../load/sweep/plan.ts";
import { readObjective } from "../../load/sweep/objective.ts";
import { point, wholeRun } from "../load/results/fixture.ts";
import { TINY } from "./tiny-preset.ts";

export const PLAN: SweepPlan = {
  preset: TINY,
  seed: 7,
  workloads: [plainWorkload({ inputTokens: 1024, outputTokens: 128 })],
  objectives: [readObjective("ttft_p95<=1s")],
  arrivals: "poisson",
  cv: 1,
  rates: [],
  concurrencies: [],
};

export function planned(model = "Llama-3.1-8B"): SweepEvent {
  const subject = { ...wholeRun().subject, model };
  const rest = { runId: "r", directory: null, plan: PLAN, resumedPoints: 0 };
  return { kind: "planned", atMs: 0, estimateMs: 100_000, subject, ...rest };
}

export const shapeStarted: SweepEvent = {
  kind: "shape-started",
  atMs: 0,
  shape: "1024x128",
  index: 0,
  of: 2,
};

export function pointStarted(
  load: Load = { mode: "closed", concurrency: 8 },
  atMs = 20_000,
): SweepEvent {
  const stop = {
    settleMsMin: 2_000,
    windowMsMin: 10_000,
    windowMsMax: 20_000,
    requests: 11,
    precision: 0.05,
    decide: [],
    untilStable: false,
    passStays: 0,
    inFlightMax: 1_000,
  };
  const task = {
    pointId: "p",
    shape: "1024x128",
    stage: "ladder",
    load,
    repeat: 0,
    cohort: null,
    stop,
  } as const;
  return { kind: "point-started", atMs, task, remainingMs: 60_000 };
}

export function progressed(more: Partial<PointProgress> = {}, atMs = 21_000): SweepEvent {
  return {
    kind: "progress",
    atMs,
    pointId: "p",
    phase: "measuring",
    elapsedMs: 5_000,
    sent: 50,
    measured: 40,
    failed: 0,
    inFlight: 8,
    ttftP50Ms: 42.4,
    tpotP50Ms: 7.1,
    outputTokensPerSecond: 1_024,
    sendLagMaxMs: 0.4,
    loopDelayP99Ms: 1.2,
    cpuShare: 0.21,
    ...more,
  };
}

export const pointFinished: SweepEvent = {
  kind: "point-finished",
  atMs: 30_000,
  point: point("c8"),
  remainingMs: 50_000,
};

export const ended: SweepEvent = { kind: "ended", atMs: 40_000, summary: wholeRun() };
