import { describe, expect, test } from "vitest";
import { exponential, normal, seededRandom } from "../../engines/random.ts";
import { average, batchMeans, variance } from "../../load/statistics/batch-means.ts";
import { betaCdf, betaQuantile, logGamma } from "../../load/statistics/beta.ts";
import { binomialCdf, clopperPearson } from "../../load/statistics/binomial.ts";
import { dependentMean, designEffect, effectiveSize } from "../../load/statistics/design-effect.ts";
import { fitLine } from "../../load/statistics/line.ts";
import { staysBelowOne } from "../../load/statistics/margin.ts";
import { percentileInterval } from "../../load/statistics/order-interval.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { studentQuantile } from "../../load/statistics/student.ts";
import { stillFills } from "../../load/sweep/saturation.ts";

test.each([
  [0.5, 0.5723649429247001],
  [1, 0],
  [5, Math.log(24)],
  [100, 359.1342053695754],
])("ln Γ(%d) is %d", (x, wanted) => {
  expect(logGamma(x)).toBeCloseTo(wanted, 10);
});

// Sums of binomial masses, by hand.
test.each([
  [0.3, 2, 3, 0.3483],
  [0.5, 0.5, 0.5, 0.5],
  [0.9, 20, 2, 0.3647],
])("the beta distribution at %d with (%d, %d) is %d", (x, a, b, wanted) => {
  expect(betaCdf(x, a, b)).toBeCloseTo(wanted, 3);
  expect(betaQuantile(betaCdf(x, a, b), a, b)).toBeCloseTo(x, 9);
});

// Any table of the t distribution.
test.each([
  [0.975, 2, 4.303],
  [0.975, 4, 2.776],
  [0.975, 9, 2.262],
  [0.95, 19, 1.729],
  [0.99, 19, 2.539],
])("Student's t at %d with %d degrees is %d", (probability, freedom, wanted) => {
  expect(studentQuantile(probability, freedom)).toBeCloseTo(wanted, 3);
});

test.each([
  [3, 10, 0.5, 0.171875],
  [0, 20, 0.1, 0.9 ** 20],
  [10, 10, 0.3, 1],
  [-1, 10, 0.3, 0],
])("at most %d of %d at %d has probability %d", (k, n, p, wanted) => {
  expect(binomialCdf(k, n, p)).toBeCloseTo(wanted, 10);
});

describe("Clopper–Pearson", () => {
  // A pass at 95 % needs no violation among 59, one among 93, two among 124; for 1 % 299, 473, 628; for 10 % 29, 46, 61.
  test.each([
    [0.05, 0, 59],
    [0.05, 1, 93],
    [0.05, 2, 124],
    [0.01, 0, 299],
    [0.01, 1, 473],
    [0.01, 2, 628],
    [0.1, 0, 29],
    [0.1, 1, 46],
    [0.1, 2, 61],
  ])(
    "shows a share of at most %d with %d violations from %d requests on",
    (share, violations, n) => {
      expect(clopperPearson(violations, n, 0.95).upper).toBeLessThanOrEqual(share);
      expect(clopperPearson(violations, n - 1, 0.95).upper).toBeGreaterThan(share);
    },
  );

  test("knows nothing from nothing", () => {
    expect(clopperPearson(0, 0, 0.95)).toEqual({ lower: 0, upper: 1 });
  });
});

describe("the interval of a percentile", () => {
  const ranks = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

  test("of a median of 100 lies between the 40th and the 61st value", () => {
    expect(percentileInterval(ranks(100), 0.5)).toEqual({ low: 40, high: 61 });
  });

  test("has no upper end when the samples give none", () => {
    expect(percentileInterval(ranks(50), 0.95)?.high).toBe(Infinity);
  });

  test("is nothing for too few", () => {
    expect(percentileInterval(ranks(3), 0.5)).toBeNull();
  });

  test("grows with the dependence of its values", () => {
    const [independent, dependent] = [
      percentileInterval(ranks(1000), 0.5)!,
      percentileInterval(ranks(1000), 0.5, 100)!,
    ];
    expect(dependent.high - dependent.low).toBeGreaterThan(
      2.5 * (independent.high - independent.low),
    );
  });

  test("holds the true median in 95 of 100 samples", () => {
    let held = 0;
    for (let seed = 0; seed < 400; seed++) {
      const random = seededRandom(seed);
      const sample = ascending(Array.from({ length: 80 }, () => exponential(random, 1)));
      const interval = percentileInterval(sample, 0.5)!;
      if (interval.low <= Math.LN2 && Math.LN2 <= interval.high) held++;
    }
    expect(held / 400).toBeGreaterThan(0.93);
  });
});

/** A first-order autoregressive series: each value remembers `memory` of the last. */
function series(memory: number, seed: number, length = 2000): Float64Array {
  const random = seededRandom(seed);
  const values = new Float64Array(length);
  let value = 0;
  for (let index = 0; index < length; index++) {
    value = memory * value + normal(random);
    values[index] = value;
  }
  return values;
}

describe("dependence", () => {
  test("counts independent values for what they are", () => {
    const effects = Array.from({ length: 40 }, (_, seed) => designEffect(series(0, seed)));
    expect(ascending(effects)[20]).toBeLessThan(1.6);
  });

  test("counts a series with a memory of 0.9 for about a nineteenth", () => {
    const effects = Array.from({ length: 40 }, (_, seed) => designEffect(series(0.9, seed, 8000)));
    const median = ascending(effects)[20]!;
    expect(median).toBeGreaterThan(12);
    expect(median).toBeLessThan(32);
    expect(effectiveSize(8000, { effect: median, freedom: 63 }, 0.95)).toBeLessThan(8000 / 12);
  });

  test("the naive interval of a mean misses the truth where batch means hold it", () => {
    let [held, naive] = [0, 0];
    for (let seed = 0; seed < 200; seed++) {
      const values = series(0.95, seed, 4000);
      const { mean, halfWidth } = batchMeans(values)!;
      if (Math.abs(mean) <= halfWidth) held++;
      const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3999);
      if (Math.abs(mean) <= (1.96 * sd) / Math.sqrt(4000)) naive++;
    }
    expect(held / 200).toBeGreaterThan(0.88);
    expect(naive / 200).toBeLessThan(0.5);
  });
});

describe("a distance from a limit nothing reached", () => {
  /** Latencies over their limit: `level` on average, lognormal, remembering `memory` of the last. */
  const ratios = (level: number, memory: number, seed: number): Float64Array =>
    series(memory, seed, 1_600).map(
      (value) => level * Math.exp(0.1 * value * Math.sqrt(1 - memory ** 2)),
    );
  const kept = (level: number, memory: number): number =>
    Array.from({ length: 50 }, (_, seed) => seed).filter((seed) =>
      staysBelowOne(ratios(level, memory, seed), 0.997),
    ).length;

  test("is enough at a third of it, and not where a longer look would reach it", () => {
    expect(kept(0.3, 0)).toBe(50);
    expect(kept(0.3, 0.95)).toBeGreaterThan(45);
    // The highest of a hundred lies a quarter above the mean: now and then one of the next would be too high.
    expect(kept(0.75, 0)).toBe(0);
  });

  test("is never enough in a window shorter than the queue remembers, nor with too few requests", () => {
    expect(kept(0.3, 0.9995)).toBeLessThan(15);
    expect(staysBelowOne(new Float64Array(15).fill(0.1), 0.997)).toBe(false);
    const rising = Float64Array.from({ length: 1_600 }, (_, index) => 0.05 + index / 20_000);
    expect(staysBelowOne(rising, 0.997)).toBe(false);
  });
});

test("requests under way that grow beyond chance say that an engine still fills, even ones do not", () => {
  const seconds = Array.from({ length: 60 }, (_, second) => second);
  expect(stillFills(seconds.map((second) => 100 + 3 * second))).toBe(true);
  expect(stillFills(seconds.map((second) => 100 - 3 * second))).toBe(false);
  const random = seededRandom(3);
  const even = seconds.map(() => 100 + 10 * normal(random));
  expect(stillFills(even)).toBe(false);
  expect(stillFills([])).toBe(false);
});

/** Poisson requests at an M/D/1 queue: when each came and what it waited, in service times. */
function queue(
  load: number,
  seed: number,
  length: number,
): { at: Float64Array; wait: Float64Array } {
  const random = seededRandom(seed);
  const [at, wait] = [new Float64Array(length), new Float64Array(length)];
  let [now, waits] = [0, 0];
  for (let index = 0; index < length; index++) {
    const gap = exponential(random, 1 / load);
    now += gap;
    waits = Math.max(0, waits + 1 - gap);
    at[index] = now;
    wait[index] = waits;
  }
  return { at, wait };
}

describe("what chance did to the arrivals", () => {
  const shares = (length: number) =>
    Array.from({ length: 100 }, (_, seed) => {
      const { at, wait } = queue(0.9, seed, length);
      const over = wait.map((one) => (one > 3 ? 1 : 0));
      const arrivals = { atMs: at, meanGapMs: 1 / 0.9 };
      return [dependentMean(over, null), dependentMean(over, arrivals)] as const;
    });

  test("is most of the noise of a queue's waits: without it the same share is known from under half the requests", () => {
    const found = shares(20_000);
    const spread = (values: readonly number[]): number => variance(values);
    const [plain, controlled] = [found.map(([a]) => a.mean), found.map(([, b]) => b.mean)];
    expect(spread(controlled)).toBeLessThan(spread(plain) / 2);
    expect(average(controlled)).toBeCloseTo(average(plain), 2);
  });

  test("is accounted for in what the share is worth, which then holds the true one as often as it says", () => {
    const truth = average(shares(20_000).map(([, b]) => b.mean));
    const held = shares(20_000).filter(([, { mean, effect, freedom }]) => {
      const worth = effectiveSize(20_000, { effect, freedom }, 0.975);
      const { lower, upper } = clopperPearson(mean * worth, worth, 0.975);
      return lower <= truth && truth <= upper;
    });
    expect(held.length).toBeGreaterThanOrEqual(90);
  });

  test("is nothing where arrivals are evenly spaced, and nothing is taken for it", () => {
    const { wait } = queue(0.9, 1, 2_000);
    const over = wait.map((one) => (one > 3 ? 1 : 0));
    const atMs = Float64Array.from(over, (_, index) => index / 0.9);
    const even = dependentMean(over, { atMs, meanGapMs: 1 / 0.9 });
    expect(even).toEqual(dependentMean(over, null));
  });
});

test("a percentile of values that never came is never finite, and never no number", () => {
  expect(percentile([1, 2, Infinity, Infinity], 0.5)).toBe(Infinity);
  expect(percentile([1, 2, 3, Infinity], 0.5)).toBe(2.5);
  expect(percentile([1, Infinity, Infinity], 1)).toBe(Infinity);
});

test("a line through a slope finds it, and none through a single time", () => {
  expect(fitLine([0, 1, 2, 3], [1, 3, 5, 7])?.slope).toBeCloseTo(2);
  expect(fitLine([1, 1, 1], [1, 2, 3])).toBeNull();
});
