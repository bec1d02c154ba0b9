import { describe, expect, test } from "vitest";
import { every } from "../../engines/clock.ts";
import { exponential, forkRandom, integer, normal, seededRandom } from "../../engines/random.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";

describe("virtual time", () => {
  test("runs tasks in order of their due time, equals in order of scheduling", () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    for (const [delay, name] of [
      [20, "c"],
      [10, "a"],
      [10, "b"],
      [30, "d"],
    ] as const)
      clock.schedule(delay, () => seen.push(`${name}@${clock.nowMs()}`));
    clock.advance(25);
    expect(seen).toEqual(["a@10", "b@10", "c@20"]);
    expect(clock.nowMs()).toBe(25);
  });

  test("does not run what was cancelled", () => {
    const clock = new VirtualClock();
    let ran = false;
    clock.schedule(5, () => (ran = true))();
    clock.advance(10);
    expect(ran).toBe(false);
    expect(clock.nextDueMs()).toBeNull();
  });

  test("lets awaiting code go on between tasks", async () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    const work = (async () => {
      for (let round = 0; round < 3; round++) {
        await clock.after(10);
        seen.push(clock.nowMs());
      }
    })();
    await clock.advanceSettling(100);
    await work;
    expect(seen).toEqual([10, 20, 30]);
  });

  test("ends a wait when its signal aborts", async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const wait = clock.after(1_000, stop.signal);
    stop.abort();
    await wait;
    expect(clock.nowMs()).toBe(0);
  });
});

describe("a beat", () => {
  test("keeps its rhythm and stops when told", () => {
    const clock = new VirtualClock();
    const beats: number[] = [];
    const stop = every(clock, 100, () => beats.push(clock.nowMs()));
    clock.advance(350);
    stop();
    clock.advance(500);
    expect(beats).toEqual([100, 200, 300]);
  });
});

describe("seeded randomness", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random.next());
  };

  test("repeats for a seed and differs between seeds", () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test("forks into independent streams", () => {
    expect(forkRandom(1, "a").next()).not.toBe(forkRandom(1, "b").next());
  });

  test.each([
    ["uniform", (random: ReturnType<typeof seededRandom>) => random.next(), 0.5],
    ["exponential", (random: ReturnType<typeof seededRandom>) => exponential(random, 3), 3],
    ["normal", (random: ReturnType<typeof seededRandom>) => normal(random), 0],
    ["integer", (random: ReturnType<typeof seededRandom>) => integer(random, 11), 5],
  ])("has the mean of a %s distribution", (_name, next, mean) => {
    const random = seededRandom(42);
    const count = 40_000;
    let sum = 0;
    for (let index = 0; index < count; index++) sum += next(random);
    expect(Math.abs(sum / count - mean)).toBeLessThan(0.07);
  });
});
