import { describe, expect, test } from "vitest";
import { seededRandom } from "../../engines/random.ts";
import { pacers, type PacerOptions } from "../../load/pacers/index.ts";
import type { Pacer } from "../../load/pacers/pacer.ts";

const OPTIONS: Omit<PacerOptions, "random"> = {
  ratePerSecond: 20,
  durationMs: 200_000,
  cv: 3,
  toRatePerSecond: 60,
  concurrency: 4,
  rampMs: 0,
  atMs: Array.from({ length: 500 }, (_, index) => index * 7),
};

function moments(pacer: Pacer): number[] {
  const atMs: number[] = [];
  for (let sent = 0; sent < 20_000; sent++) {
    const pace = pacer.next(0, 0, sent);
    if (pace.kind !== "due") break;
    atMs.push(pace.atMs);
  }
  return atMs;
}

function gapsOf(atMs: readonly number[]): { mean: number; cv: number; n: number } {
  const gaps = atMs.slice(1).map((at, index) => at - atMs[index]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  return { mean, cv: Math.sqrt(variance) / mean, n: gaps.length };
}

const make = (name: keyof typeof pacers, seed = 1, options: Partial<PacerOptions> = {}): Pacer =>
  pacers[name]({ ...OPTIONS, ...options, random: seededRandom(seed) });

describe.each(Object.keys(pacers) as (keyof typeof pacers)[])("the %s pacer", (name) => {
  test("plans the same moments for the same seed, in order, whatever is in flight", () => {
    const [first, again] = [moments(make(name)), moments(make(name))];
    expect(first).toEqual(again);
    expect(first.length).toBeGreaterThan(100);
    expect(first.every((at, index) => index === 0 || at >= first[index - 1]!)).toBe(true);
  });

  test("answers for the same request again as it did before", () => {
    const pacer = make(name);
    const early = pacer.next(0, 0, 3);
    moments(pacer);
    expect(pacer.next(0, 0, 3)).toEqual(early);
  });

  test("ends or is full, never due, past its end", () => {
    const over = make(name, 1, { durationMs: 0, atMs: [] });
    expect(over.next(0, 4, 9)).toEqual({ kind: name === "closed" ? "full" : "done" });
  });
});

test("constant arrivals are constant: their gaps do not vary, unlike those of a constant timer that draws them", () => {
  const { mean, cv } = gapsOf(moments(make("constant")));
  expect(mean).toBeCloseTo(50, 9);
  expect(cv).toBeLessThan(1e-9);
  // What one tool calls constant are exponential gaps.
  expect(gapsOf(moments(make("poisson"))).cv).toBeGreaterThan(0.9);
});

test("Poisson arrivals keep their rate and have a coefficient of variation of one", () => {
  const { mean, cv, n } = gapsOf(moments(make("poisson", 5)));
  expect(mean).toBeGreaterThan(50 * (1 - 3 / Math.sqrt(n)));
  expect(mean).toBeLessThan(50 * (1 + 3 / Math.sqrt(n)));
  expect(Math.abs(cv - 1)).toBeLessThan(3 / Math.sqrt(n));
});

test.each([0.5, 1, 2, 4])("gamma arrivals are as bursty as asked: %d", (cv) => {
  const gaps = gapsOf(moments(make("gamma", 3, { cv, durationMs: 1_000_000 })));
  expect(gaps.cv / cv).toBeGreaterThan(0.9);
  expect(gaps.cv / cv).toBeLessThan(1.1);
  expect(gaps.mean).toBeGreaterThan(50 * 0.9);
  expect(gaps.mean).toBeLessThan(50 * 1.1);
});

test("a ramp's rate goes in a straight line", () => {
  const at = moments(make("ramp"));
  const perSecond = (from: number): number =>
    at.filter((ms) => ms >= from && ms < from + 20_000).length / 20;
  expect(perSecond(0)).toBeGreaterThan(18);
  expect(perSecond(0)).toBeLessThan(26);
  expect(perSecond(180_000)).toBeGreaterThan(52);
  expect(perSecond(180_000)).toBeLessThan(64);
  expect(make("ramp").rateAt(100_000)).toBe(40);
});

test("a tenth of a request per second is a rate like any other: nothing is rounded to whole numbers", () => {
  const at = moments(make("constant", 1, { ratePerSecond: 0.1, durationMs: 100_000 }));
  expect(at).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000, 90_000]);
  expect(Math.round(0.1)).toBe(0);
});
