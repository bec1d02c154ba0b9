import { describe, expect, test } from "vitest";
import { NO_STATS } from "../../../../engines/engine-stats.ts";
import { ZombieWatch } from "../../../../proxy/upstream/health/zombie-watch.ts";

/** Readings a second apart; returns what was told, by second. */
function watch(
  readings: readonly (readonly [running: number | null, generated: number | null, ours: boolean])[],
): string[] {
  const zombies = new ZombieWatch();
  const told: string[] = [];
  let idleSinceMs: number | null = 0;
  for (const [second, [running, generationTokens, ours]] of readings.entries()) {
    const nowMs = second * 1_000;
    if (ours) idleSinceMs = null;
    else idleSinceMs ??= nowMs;
    const report = zombies.read({ ...NO_STATS, running, generationTokens }, idleSinceMs, nowMs);
    if (report !== null) told.push(`${second} ${report.state} ${report.tokens}`);
  }
  return told;
}

const seconds = <Value>(count: number, each: (second: number) => Value): Value[] =>
  Array.from({ length: count }, (_, second) => each(second));

describe("an engine that works although nobody here asked", () => {
  test("is told once after ten seconds, and again with its tokens when it stops", () => {
    const readings = seconds(20, (second) => [1, 100 * second, false] as const);
    expect(watch([...readings, [0, 2_000, false]])).toEqual(["10 began 1000", "20 over 2000"]);
  });

  test("is not told while a request of ours is there, or was a moment ago", () => {
    expect(watch(seconds(30, (second) => [2, second, true] as const))).toEqual([]);
    expect(watch(seconds(30, (second) => [2, second, second % 8 === 0] as const))).toEqual([]);
  });

  test("is not told of an engine whose gauge says so and whose tokens do not grow", () => {
    expect(watch(seconds(30, () => [1, 500, false] as const))).toEqual([]);
  });

  test("is told of an engine that counts no tokens, without a figure", () => {
    expect(watch(seconds(12, () => [1, null, false] as const))).toEqual(["10 began null"]);
  });

  test("is never told of an engine that does not say what runs", () => {
    expect(watch(seconds(30, (second) => [null, second, false] as const))).toEqual([]);
  });

  test("does not count a restart's fresh counters as tokens given back", () => {
    const readings = seconds(15, (second) => [1, 1_000 + second, false] as const);
    expect(watch([...readings, [0, 0, false]])).toEqual(["10 began 10", "15 over 0"]);
  });
});
