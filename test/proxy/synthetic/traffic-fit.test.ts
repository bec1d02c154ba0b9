import { describe, expect, test } from "vitest";
import { exponential, normal, seededRandom } from "../../../engines/random.ts";
import { pacers } from "../../../load/pacers/index.ts";
import { readTrace, traces } from "../../../load/trace.ts";
import {
  fitRows,
  fitTraffic,
  type FitRow,
  MY_TRAFFIC,
} from "../../../proxy/synthetic/traffic-fit.ts";
import { exchangeOf } from "../../harness/exchanges.ts";

const mixture = (count: number, gap: (index: number) => number): readonly FitRow[] => {
  const random = seededRandom(5);
  let atMs = 0;
  return Array.from({ length: count }, (_, index) => {
    atMs += gap(index);
    const isLong = random.next() < 0.3;
    return {
      atMs,
      inputTokens: isLong ? 4096 : 512,
      outputTokens: isLong ? 64 : 256,
      cachedTokens: isLong ? 2048 : 128,
    };
  });
};

describe("a workload fitted from real requests", () => {
  test("gives a mixture of two shapes back, with its weights, rate, burstiness and cached share", () => {
    const random = seededRandom(9);
    const fit = fitTraffic(mixture(4000, () => exponential(random, 100)));
    expect(fit.parts.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens])).toEqual([
      [512, 256],
      [4096, 64],
    ]);
    expect(fit.parts[0]!.weight).toBeCloseTo(0.7, 1);
    expect(fit.ratePerSecond).toBeCloseTo(10, 0);
    expect(fit.arrivalCv).toBeGreaterThan(0.9);
    expect(fit.arrivalCv).toBeLessThan(1.1);
    expect(fit.arrivals).toBe("poisson");
    const cached = (0.7 * 128 + 0.3 * 2048) / (0.7 * 512 + 0.3 * 4096);
    expect(fit.cachedShare).toBeCloseTo(cached, 1);
    expect(fit.workload).toMatchObject({ name: MY_TRAFFIC, turns: 1, dataset: null });
    expect(fit.workload!.prefixShare).toBeCloseTo(cached, 1);
  });

  test("finds bursts, by the coefficient of variation the arrivals were made with", () => {
    const pacer = pacers.gamma({
      ratePerSecond: 10,
      cv: 3,
      random: seededRandom(2),
      durationMs: 3_600_000,
    });
    const times = Array.from({ length: 8000 }, (_, index) => {
      const pace = pacer.next(0, 0, index);
      return pace.kind === "due" ? pace.atMs : 0;
    });
    const rows = mixture(times.length, (index) => times[index]! - (times[index - 1] ?? 0));
    const fit = fitTraffic(rows);
    expect(fit.arrivals).toBe("gamma");
    expect(fit.arrivalCv).toBeGreaterThan(2.5);
    expect(fit.arrivalCv).toBeLessThan(3.5);
  });

  test("keeps the mean lengths of any traffic, and all of its weight", async () => {
    const rows = await readTrace(traces["azure-conversation"]);
    const { parts, workload } = fitTraffic(rows.slice(0, 5000));
    const mean = (of: (row: FitRow) => number): number =>
      rows.slice(0, 5000).reduce((sum, row) => sum + of(row), 0) / 5000;
    const fitted = (of: (part: (typeof parts)[number]) => number): number =>
      parts.reduce((sum, part) => sum + part.weight * of(part), 0);
    expect(parts.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
    expect(fitted((part) => part.inputTokens) / mean((row) => row.inputTokens)).toBeCloseTo(1, 2);
    expect(fitted((part) => part.outputTokens) / mean((row) => row.outputTokens)).toBeCloseTo(1, 1);
    expect(parts.length).toBeLessThanOrEqual(16);
    expect(workload).not.toBeNull();
  });

  test("keeps long prompts with their own answers: the joint shape, not two margins", () => {
    const random = seededRandom(1);
    const rows = Array.from({ length: 2000 }, (_, index) => {
      const isLong = index % 2 === 0;
      const about = (tokens: number): number => Math.round(tokens * Math.exp(0.1 * normal(random)));
      return {
        atMs: index * 10,
        inputTokens: about(isLong ? 8000 : 200),
        outputTokens: about(isLong ? 50 : 1000),
      };
    });
    const { parts } = fitTraffic(rows);
    const answers = (isLong: boolean): readonly number[] =>
      parts
        .filter(({ inputTokens }) => inputTokens > 4000 === isLong)
        .map(({ outputTokens }) => outputTokens);
    expect(Math.max(...answers(true))).toBeLessThan(100);
    expect(Math.min(...answers(false))).toBeGreaterThan(500);
  });

  test("says that too few requests are too few, and what no engine told", () => {
    const fit = fitTraffic([{ atMs: 0, inputTokens: 10, outputTokens: 1 }]);
    expect(fit.workload).toBeNull();
    expect(fit.arrivalCv).toBeNull();
    expect(fit.notes.join(" ")).toMatch(/1 requests .* too few.*50/);
    expect(fit.notes.join(" ")).toMatch(/cached/);
    expect(fitTraffic([])).toMatchObject({ requests: 0, parts: [], workload: null });
  });

  test("is made of completed real requests with counted tokens alone", () => {
    const real = exchangeOf();
    const rows = fitRows([
      real,
      { ...real, origin: "synthetic" },
      { ...real, outcome: { kind: "cancelled", phase: "decode" } },
      { ...real, tokens: { ...real.tokens, input: null } },
    ]);
    expect(rows).toHaveLength(1);
    expect(fitRows([real], "another model")).toHaveLength(0);
  });
});
