import { describe, expect, test } from "vitest";
import type { Exchange } from "../../../engines/exchange.ts";
import { exponential, integer, seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { Cell, distributions } from "../../../proxy/telemetry/cell.ts";
import { Ladder, levels, type Slot } from "../../../proxy/telemetry/ladder.ts";
import { partKey } from "../../../proxy/telemetry/part.ts";
import { readSeries } from "../../../proxy/telemetry/series.ts";
import { createTelemetry, type Telemetry } from "../../../proxy/telemetry/telemetry.ts";
import { exchangeOf, fleetOf } from "../../harness/exchanges.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function exact(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
}

/** Seven hours of traffic with quiet and busy times, and the log of it. */
function sevenHours(): { clock: VirtualClock; meter: Telemetry; log: Exchange[] } {
  const random = seededRandom(41);
  const clock = new VirtualClock();
  const replicas = ["r0", "r1", "r2"];
  const meter = createTelemetry({ clock, fleet: fleetOf(["m", "n"], replicas) });
  const log: Exchange[] = [];
  while (clock.nowMs() < 7 * HOUR) {
    clock.advance(exponential(random, 4_000));
    const gapsMs = Array.from({ length: 1 + integer(random, 6) }, () => exponential(random, 20));
    const exchange = exchangeOf({
      endedMs: clock.nowMs(),
      ttftMs: 5 + exponential(random, 300),
      gapsMs,
      outputTokens: (gapsMs.length + 1) * (1 + integer(random, 2)),
      replica: replicas[integer(random, 3)]!,
      model: integer(random, 2) === 0 ? "m" : "n",
      client: integer(random, 4) === 0 ? "team" : null,
      outcome:
        integer(random, 10) === 0
          ? { kind: "failed", code: "x" }
          : { kind: "completed", finishReason: "stop" },
    });
    log.push(exchange);
    meter.feed.ended(exchange);
  }
  clock.advance(1_000 - (clock.nowMs() % 1_000));
  return { clock, meter, log };
}

describe("windows", () => {
  const { clock, meter, log } = sevenHours();

  test.each([5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR])(
    "of %i ms agree with the request log gone through one by one",
    (windowMs) => {
      const query = { metric: "ttft", by: "replica", population: "real", windowMs } as const;
      const answer = readSeries(meter.traffic, clock, query);
      const inside = log.filter(({ times }) => times.endedMs >= answer.fromMs);
      expect(answer.lines.map((line) => line.label).toSorted()).toEqual(["r0", "r1", "r2"]);
      for (const line of answer.lines) {
        const values = inside
          .filter(({ replica, times }) => replica === line.label && times.firstTokenMs !== null)
          .map(({ times }) => times.firstTokenMs! - times.startedMs);
        expect(line.total.n).toBe(values.length);
        for (const [name, q] of [
          ["p50", 0.5],
          ["p95", 0.95],
          ["p99", 0.99],
        ] as const) {
          const truth = exact(values, q);
          expect(Math.abs(line.total[name]! - truth) / truth).toBeLessThan(0.01);
        }
      }
    },
  );

  test.each([
    ["requests", (one: Exchange) => Number(one.outcome.kind !== undefined)],
    ["failed", (one: Exchange) => Number(one.outcome.kind === "failed")],
    ["output-tokens", (one: Exchange) => one.tokens.output ?? 0],
    ["cached-input-tokens", (one: Exchange) => one.tokens.cachedInput ?? 0],
  ] as const)("of %s are the sums of the log in every single point", (metric, valueOf) => {
    const answer = readSeries(meter.traffic, clock, {
      metric,
      by: "none",
      population: "real",
      windowMs: 6 * HOUR,
    });
    const [line] = answer.lines;
    expect(line!.points.length).toBeGreaterThan(300);
    for (const point of line!.points) {
      const inside = log.filter(
        ({ times }) =>
          times.endedMs >= point.startMs && times.endedMs < point.startMs + answer.stepMs,
      );
      expect(point.n).toBe(inside.reduce((sum, one) => sum + valueOf(one), 0));
    }
  });

  test("weigh gaps by tokens: as many as tokens after the first event, and no time is lost", () => {
    const cell = meter.traffic.cell(6 * HOUR, { population: "real", client: "team" });
    const inside = log.filter(
      ({ client, times }) =>
        client === "team" &&
        times.endedMs >= Math.ceil((clock.nowMs() - 6 * HOUR) / 10_000) * 10_000,
    );
    const answered = inside.filter(({ outcome }) => outcome.kind === "completed");
    const spansMs = answered.reduce(
      (sum, { times }) => sum + times.lastTokenMs! - times.firstTokenMs!,
      0,
    );
    expect(cell.get("completed")).toBe(answered.length);
    expect(cell.sketch("itl").sum / spansMs).toBeCloseTo(1, 3);
    const tokens = answered.reduce(
      (sum, one) => sum + (one.tokens.output! * (one.outputEvents - 1)) / one.outputEvents,
      0,
    );
    expect(cell.sketch("itl").count).toBe(tokens);
  });

  test("hold nothing of before the log began", () => {
    const answer = readSeries(meter.traffic, clock, {
      metric: "ttft",
      by: "none",
      population: "real",
      windowMs: 24 * HOUR,
    });
    const before = answer.lines[0]!.points.filter((point) => point.startMs + answer.stepMs <= 0);
    expect(before.length).toBeGreaterThan(100);
    expect(before.every((point) => point.value === null && point.n === 0)).toBe(true);
  });
});

describe("the ladder", () => {
  const second = (startMs: number, parts: readonly string[], value = 10): Slot => {
    const cell = new Cell();
    cell.count("completed");
    for (const name of distributions) cell.observe(name, value);
    return { startMs, cells: new Map(parts.map((part) => [part, cell.freeze()])) };
  };
  const whole = partKey({ population: "real" });

  test("hands every second up once: coarse slots are the sums of fine ones", () => {
    const closed: [number, Slot][] = [];
    const ladder = new Ladder(undefined, (level, slot) => closed.push([level, slot]));
    for (let index = 0; index < 7_300; index++) ladder.push(second(index * 1_000, [whole]));
    const counts = (level: number): number[] =>
      closed
        .filter(([at]) => at === level)
        .map(([, slot]) => {
          const cell = new Cell();
          cell.merge(slot.cells.get(whole)!);
          return cell.get("completed");
        });
    expect(counts(1).every((count) => count === 10)).toBe(true);
    expect(counts(2)).toEqual(Array.from({ length: 121 }, () => 60));
    expect(counts(4)).toEqual([3_600, 3_600]);
    expect(ladder.window(whole, 0, 7_300_000).get("completed")).toBe(7_300);
  });

  test("restored after a crash misses no second, in any level", () => {
    const kept: Slot[][] = levels.map(() => []);
    const first = new Ladder(undefined, (level, slot) => kept[level]!.push(slot));
    for (let index = 0; index < 5_437; index++) first.push(second(index * 1_000, [whole]));
    const seconds = kept[0]!.slice(-900);
    const settled: number[] = [];
    const again = new Ladder(undefined, (level) => settled.push(level));
    // Down for three minutes in the middle of a ten-second slot, of a minute, of ten minutes and of an hour.
    again.restore([seconds, ...kept.slice(1)], 5_437_000 + 180_000);
    for (const windowMs of [HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR]) {
      const nowMs = 5_617_000;
      const slots = again.slots(windowMs, nowMs - windowMs).filter((slot) => slot.cells.size > 0);
      const from = slots[0]!.startMs;
      const cell = new Cell();
      for (const slot of slots) cell.merge(slot.cells.get(whole)!);
      expect([windowMs, cell.get("completed")]).toEqual([windowMs, 5_437 - from / 1_000]);
    }
    expect(settled.length).toBeGreaterThan(0);
  });

  test("of a thousand replicas and fifty models stays within its bytes, and keeps the totals", () => {
    const bytesMax = 6 * 1_048_576;
    const ladder = new Ladder(bytesMax);
    const parts = [
      whole,
      ...Array.from({ length: 1_000 }, (_, index) => `real/replica/r${index}`),
      ...Array.from({ length: 50 }, (_, index) => `real/model/m${index}`),
    ];
    for (let index = 0; index < 40; index++) ladder.push(second(index * 1_000, parts));
    expect(ladder.bytes).toBeLessThanOrEqual(bytesMax);
    expect(ladder.window(whole, 0, 40_000).get("completed")).toBe(40);
    const newest = ladder.seconds().at(-1)!;
    expect(newest.cells.size).toBe(parts.length);
  });
});
