import { describe, expect, test } from "vitest";
import { normal, seededRandom } from "../../../engines/random.ts";
import type { Exchange } from "../../../engines/exchange.ts";
import { differenceOf, PathDifferences } from "../../../proxy/synthetic/path-difference.ts";
import { exchangeOf } from "../../harness/exchanges.ts";

describe("routed minus direct", () => {
  test("finds a cost of 0.3 ms under noise a hundred times as large, and its interval holds it", () => {
    let held = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const random = seededRandom(seed);
      const pairs = Array.from({ length: 400 }, (_, index) => {
        // Load drifts by a second over the point, and both of a pair feel it.
        const state = 200 + index * 2.5 + 30 * normal(random);
        return {
          direct: state + 0.5 * normal(random),
          routed: state + 0.3 + 0.5 * normal(random),
        };
      });
      const difference = differenceOf(pairs)!;
      expect(difference.median).toBeCloseTo(0.3, 0);
      if (difference.low <= 0.3 && 0.3 <= (difference.high ?? Infinity)) held++;
    }
    expect(held).toBeGreaterThanOrEqual(90);
  });

  test("a plain difference of the two medians is drowned by the drift that pairs cancel", () => {
    const random = seededRandom(7);
    const halves = Array.from({ length: 400 }, (_, index) => 200 + index * 2.5);
    // One path measured after the other, as two points in a row would be.
    const median = (values: readonly number[]): number =>
      [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
    const naive = median(halves.slice(200)) + 0.3 - median(halves.slice(0, 200));
    const paired = differenceOf(
      halves.map((state) => ({ direct: state, routed: state + 0.3 + 0.01 * normal(random) })),
    )!;
    expect(Math.abs(naive - 0.3)).toBeGreaterThan(100);
    expect(Math.abs(paired.median - 0.3)).toBeLessThan(0.01);
  });

  test("says nothing of too few pairs", () => {
    expect(differenceOf([])).toBeNull();
    expect(differenceOf([{ direct: 1, routed: 2 }])).toBeNull();
  });

  test("leaves out a pair of which one did not complete", () => {
    const differences = new PathDifferences();
    const cut: Exchange = { ...exchangeOf(), outcome: { kind: "cut", code: "upstream_cut" } };
    for (let index = 0; index < 50; index++) differences.add("p", exchangeOf(), cut);
    expect(differences.of("p")).toBeNull();
    expect(differences.overall()).toBeNull();
  });

  test("widens its interval where the cost grows with the load, and covers both ends", () => {
    const random = seededRandom(4);
    const differences = new PathDifferences();
    const at = (ms: number): Exchange => {
      const made = exchangeOf();
      const { startedMs } = made.times;
      const firstTokenMs = startedMs + ms;
      const times = { ...made.times, routedMs: startedMs, firstTokenMs };
      return { ...made, times };
    };
    for (let index = 0; index < 100; index++) {
      differences.add("light", at(20), at(20.3 + 0.02 * normal(random)));
      differences.add("heavy", at(20), at(22 + 0.02 * normal(random)));
    }
    const overall = differences.overall()!.ttftMs!;
    expect(overall.low).toBeLessThan(0.3);
    expect(overall.high).toBeGreaterThan(2);
  });

  test("gives a quiet point the say over a noisy one", () => {
    const random = seededRandom(3);
    const differences = new PathDifferences();
    const at = (firstTokenMs: number): Exchange => {
      const made = exchangeOf();
      const { startedMs } = made.times;
      const times = {
        ...made.times,
        routedMs: startedMs,
        firstTokenMs: startedMs + firstTokenMs,
        lastTokenMs: startedMs + firstTokenMs + 50,
      };
      return { ...made, times };
    };
    for (let index = 0; index < 60; index++) {
      differences.add("quiet", at(20), at(20.4 + 0.02 * normal(random)));
      differences.add("noisy", at(500), at(500 + 25 + 100 * normal(random)));
    }
    const overall = differences.overall()!.ttftMs!;
    expect(overall.median).toBeGreaterThan(0.3);
    expect(overall.pairs).toBe(120);
    expect(overall.low).toBeLessThan(overall.median);
    expect(overall.high).toBeGreaterThan(overall.median);
  });
});
