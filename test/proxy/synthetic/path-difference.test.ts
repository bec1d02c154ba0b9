import { describe, expect, test } from "vitest";
import { normal, seededRandom } from "../../../engines/random.ts";
import type { Exchange } from "../../../engines/exchange.ts";
import { differenceOf, PathDifferences } from "../../../proxy/synthetic/path-difference.ts";
import type { EndedPoint } from "../../../proxy/synthetic/light-difference.ts";
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
});

describe("routed minus direct over a whole sweep", () => {
  const noise = seededRandom(3);
  /** An exchange whose first token came `ttftMs` after it was sent. */
  const at = (ttftMs: number): Exchange => {
    const made = exchangeOf();
    const { startedMs } = made.times;
    const firstTokenMs = startedMs + ttftMs;
    return { ...made, times: { ...made.times, routedMs: startedMs, firstTokenMs } };
  };
  /** A hundred pairs at a load. */
  const held = (
    differences: PathDifferences,
    { adds, spread = 0.02, ...point }: Partial<EndedPoint> & { adds: number; spread?: number },
  ): void => {
    const { inFlightMean = 1 } = point;
    const ended = { pointId: `c${inFlightMean}`, stage: "ladder" as const, ...point };
    for (let pair = 0; pair < 100; pair++)
      differences.add(ended.pointId, at(20), at(20 + adds + spread * normal(noise)));
    differences.ended({ valid: true, saturated: false, ...ended, inFlightMean });
  };

  test("is that of the loads that agree; from the first that costs more on, they are named", () => {
    const differences = new PathDifferences();
    held(differences, { inFlightMean: 64, adds: 3 });
    held(differences, { inFlightMean: 1, adds: 0.3 });
    held(differences, { inFlightMean: 256, adds: 9 });
    held(differences, { inFlightMean: 4, adds: 0.32 });
    const overall = differences.overall()!;
    expect(overall.ttftMs!.median).toBeCloseTo(0.31, 1);
    expect(overall.ttftMs!.high).toBeLessThan(0.4);
    expect(overall.ttftMs!.pairs).toBe(200);
    expect(overall).toMatchObject({ points: ["c1", "c4"], dearer: ["c64", "c256"] });
  });

  test("leaves out warming up, points that measured the generator, and queues that grow", () => {
    const differences = new PathDifferences();
    held(differences, { pointId: "warm-up", stage: "warm-up", inFlightMean: 2, adds: 1.4 });
    held(differences, { pointId: "busy", valid: false, inFlightMean: 8, adds: 50 });
    held(differences, { pointId: "full", saturated: true, inFlightMean: 90, adds: -200 });
    expect(differences.overall()).toBeNull();
    held(differences, { adds: 0.3 });
    expect(differences.overall()).toMatchObject({ points: ["c1"], dearer: [] });
    expect(differences.of("busy")!.ttftMs!.median).toBeCloseTo(50, 0);
  });

  test("gives a quiet point the say over a noisy one", () => {
    const differences = new PathDifferences();
    held(differences, { inFlightMean: 1, adds: 0.4 });
    held(differences, { inFlightMean: 8, adds: 5, spread: 100 });
    const { points, ttftMs } = differences.overall()!;
    expect(points).toEqual(["c1", "c8"]);
    expect(ttftMs!.median).toBeGreaterThan(0.3);
    expect(ttftMs!.median).toBeLessThan(1);
    expect(ttftMs!.pairs).toBe(200);
  });

  test("widens its interval where light points differ by more than their own intervals", () => {
    const [agreed, apart] = [new PathDifferences(), new PathDifferences()];
    for (const inFlightMean of [1, 2, 4, 8]) {
      held(agreed, { inFlightMean, adds: 0.5 });
      held(apart, { inFlightMean, adds: 0.4 + 0.04 * inFlightMean ** 0.5 });
    }
    const width = (differences: PathDifferences): number => {
      const { low, high } = differences.overall()!.ttftMs!;
      return high! - low;
    };
    expect(apart.overall()!.points).toHaveLength(4);
    expect(width(apart)).toBeGreaterThan(3 * width(agreed));
  });

  test("is not known before a point has ended", () => {
    const differences = new PathDifferences();
    for (let pair = 0; pair < 100; pair++) differences.add("c1", at(20), at(21));
    expect(differences.overall()).toBeNull();
  });
});
