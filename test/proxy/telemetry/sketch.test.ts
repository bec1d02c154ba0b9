import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exponential, normal, seededRandom } from "../../../engines/random.ts";
import { GAMMA, Sketch } from "../../../proxy/telemetry/sketch.ts";
import { Distribution } from "../../../dashboard/state/bins.ts";

const random = seededRandom(9);
const SHAPES: Readonly<Record<string, () => number>> = {
  uniform: () => 1 + random.next() * 999,
  exponential: () => 0.01 + exponential(random, 200),
  "log-normal": () => Math.exp(3 + 1.5 * normal(random)),
  "two populations": () =>
    random.next() < 0.8 ? 40 + 5 * random.next() : 2_000 + 500 * random.next(),
  "a heavy tail": () => 10 / (1 - random.next()) ** 0.9,
};

const exact = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;

function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

describe("a sketch", () => {
  test.each(Object.entries(SHAPES))(
    "of %s is within 1 %% of the exact percentiles",
    (_name, draw) => {
      const values = Array.from({ length: 20_000 }, draw);
      const sorted = values.toSorted((a, b) => a - b);
      const sketch = sketchOf(values);
      for (const q of [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999]) {
        const truth = exact(sorted, q);
        expect(Math.abs(sketch.quantile(q)! - truth) / truth).toBeLessThanOrEqual(0.01);
      }
    },
  );

  test("of nothing has no percentile", () => {
    expect(new Sketch().quantile(0.5)).toBeNull();
  });

  test("merges in any order and grouping to the same", () => {
    const lists = fc.array(
      fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { maxLength: 30 }),
      { minLength: 3, maxLength: 3 },
    );
    fc.assert(
      fc.property(lists, ([a, b, c]) => {
        const left = sketchOf(a!);
        left.merge(sketchOf(b!));
        left.merge(sketchOf(c!));
        const inner = sketchOf(c!);
        inner.merge(sketchOf(b!));
        inner.merge(sketchOf(a!));
        expect(left.bins()).toEqual(inner.bins());
        expect(left.bins()).toEqual(sketchOf([...a!, ...b!, ...c!]).bins());
      }),
    );
  });

  test("reads the same on the board as here", () => {
    const values = Array.from({ length: 500 }, SHAPES["log-normal"]!);
    const sketch = sketchOf(values);
    const board = new Distribution(GAMMA);
    board.merge(sketch.bins());
    for (const q of [0.5, 0.95, 0.99])
      expect(board.quantile(q)).toBeCloseTo(sketch.quantile(q)!, 9);
  });
});
