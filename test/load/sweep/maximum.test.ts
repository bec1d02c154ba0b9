import { expect, test } from "vitest";
import { readShape } from "../../../load/prompts/shape.ts";
import { plainWorkload } from "../../../load/prompts/workload.ts";
import { headlineOf } from "../../../load/results/headline.ts";
import type { Point } from "../../../load/results/point.ts";
import { presets } from "../../../load/sweep/presets.ts";
import { summariseShape } from "../../../load/sweep/shape-summary.ts";
import { latency, point } from "../results/fixture.ts";

const summary = (points: readonly Point[]): ReturnType<typeof summariseShape> =>
  summariseShape({
    plan: {
      preset: presets.quick,
      seed: 1,
      workloads: [],
      objectives: [],
      arrivals: "poisson",
      cv: 1,
      rates: [],
      concurrencies: [],
    },
    workload: plainWorkload(readShape("64x8")),
    points,
  });

const closed = (concurrency: number, tokensPerSecond: number, more: Partial<Point> = {}): Point =>
  point(`c${concurrency}`, {
    stage: concurrency === 1 ? "minimum" : "ladder",
    mode: "closed",
    concurrency,
    offeredRatePerSecond: null,
    outputTokensPerSecond: tokensPerSecond,
    inFlightMean: concurrency,
    // Little's law: users over their stay bring 128 tokens each.
    e2eMs: { ...latency(1), mean: (concurrency * 1000 * 128) / tokensPerSecond },
    ...more,
  });

test("the highest throughput is never one the generator, not the engine, set", () => {
  const points = [closed(1, 50), closed(4, 180), closed(16, 400, { valid: false })];
  expect(summary(points).maximum).toMatchObject({ concurrency: 4, outputTokensPerSecond: 180 });
  expect(summary([closed(4, 180, { valid: false })]).maximum).toBeNull();
});

test("a convoy that a window of a stay and a half caught decoding twice does not raise the highest throughput", () => {
  const caught = closed(256, 3840, { outputTokensPerSecond: 4917 });
  expect(summary([closed(4, 180), caught]).maximum!.requestsPerSecond).toBeCloseTo(30);
  expect(summary([closed(4, 180), caught]).maximum!.outputTokensPerSecond).toBeCloseTo(3840);
});

test("a sweep of given rates says the highest of them, not that of one request alone", () => {
  const rate = point("r6", {
    stage: "envelope",
    mode: "open",
    concurrency: null,
    offeredRatePerSecond: 6,
    outputTokensPerSecond: 183,
  });
  const shape = summary([closed(1, 126), rate]);
  expect(shape.maximum).toMatchObject({ concurrency: null, outputTokensPerSecond: 183 });
  expect(headlineOf([{ ...shape, capacities: [] }], () => null)).toContain("at most 183 tok/s");
});
