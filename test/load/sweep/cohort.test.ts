import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { agedShape } from "../../../load/prompts/shape.ts";
import { arrivalsOf, type Cohort, cohortAt, rampMsOf } from "../../../load/sweep/cohort.ts";
import { growsIn } from "../../../load/sweep/course.ts";
import { PointRecord } from "../../../load/sweep/point-record.ts";
import { ratesOf } from "../../../load/sweep/rate-summary.ts";
import { presets } from "../../../load/sweep/presets.ts";
import { isGrowing } from "../../../load/sweep/saturation.ts";
import { plainExchange } from "../../harness/plain-exchange.ts";
import { ScriptedEngine } from "../../harness/scripted-engine.ts";
import { planOf, pointVirtually } from "../../harness/virtual-sweep.ts";
import { latency, point as pointOf } from "../results/fixture.ts";

/** Thirty seconds of stay, as many at once as come. */
const SHAPE = { inputTokens: 8, outputTokens: 301 };
const roomy = (clock: VirtualClock): ScriptedEngine => new ScriptedEngine({ clock, itlMs: 100 });
const open = (ratePerSecond: number) =>
  ({ mode: "open", arrivals: "poisson", ratePerSecond, cv: 1 }) as const;

describe("a cohort", () => {
  test("is of all ages, evenly, once the last of it has been sent", () => {
    const cohort = { count: 200, stayMs: 30_000 };
    const rampMs = rampMsOf(cohort.count);
    const ages = arrivalsOf(cohort)
      .map(({ atMs, age }) => age + (rampMs - atMs) / cohort.stayMs)
      .sort((a, b) => a - b);
    expect(ages).toHaveLength(200);
    for (const [index, age] of ages.entries()) {
      expect(Math.abs(age - (index + 0.5) / 200)).toBeLessThan(0.01);
    }
  });

  test("is sent in order, within the ramp, nobody older than his answer is long", () => {
    const arrivals = arrivalsOf({ count: 768, stayMs: 40_000 });
    expect(arrivals.map(({ atMs }) => atMs)).toEqual(
      arrivals.map(({ atMs }) => atMs).sort((a, b) => a - b),
    );
    for (const { atMs, age } of arrivals) {
      expect(atMs >= 0 && atMs <= rampMsOf(768)).toBe(true);
      expect(age >= 0 && age < 1).toBe(true);
    }
  });

  test("has behind it what it does not have to go: the engine holds as many tokens in the end", () => {
    for (const age of [0, 0.25, 0.5, 0.999]) {
      const aged = agedShape({ inputTokens: 128, outputTokens: 1024 }, age);
      expect(aged.inputTokens + aged.outputTokens).toBe(1152);
      expect(aged.outputTokens).toBeGreaterThan(0);
    }
  });

  test("has an open loop begin as it goes on; from nothing it takes a stay", async () => {
    const load = open(10);
    const stop = { settleMsMin: 1_000, windowMsMin: 30_000, windowMsMax: 30_000 };
    const held = async (cohort: Cohort | null) => {
      const clock = new VirtualClock();
      const point = await pointVirtually(clock, roomy(clock), {
        load,
        cohort,
        shape: SHAPE,
        stop,
      });
      const from = Math.ceil(point.settleMs / 1000);
      return point.series.slice(from, from + 30).map(({ inFlight }) => inFlight);
    };
    const begun = await held({ count: 300, stayMs: 30_000, fills: false });
    for (const inFlight of begun) expect(Math.abs(inFlight - 300)).toBeLessThan(50);
    const fromNothing = await held(null);
    expect(fromNothing[0]).toBeLessThan(200);
  });
});

test("users of a closed loop are of all ages: their answers end one after the other, not together", async () => {
  const clock = new VirtualClock();
  const point = await pointVirtually(clock, roomy(clock), {
    load: { mode: "closed", concurrency: 60 },
    shape: SHAPE,
    stop: { windowMsMin: 30_000, windowMsMax: 30_000 },
  });
  const from = Math.ceil(point.settleMs / 1000);
  const ends = point.series.slice(from, from + 30).map(({ completions }) => completions);
  // Two a second: sixty users of thirty seconds each.
  expect(Math.max(...ends)).toBeLessThanOrEqual(4);
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(1);
});

describe("how many an open loop begins with", () => {
  const level = (concurrency: number, e2eMs: number) =>
    pointOf(`c${concurrency}`, {
      stage: concurrency === 1 ? "minimum" : "ladder",
      mode: "closed",
      concurrency,
      inFlightMean: concurrency,
      offeredRatePerSecond: null,
      e2eMs: { ...latency(1), mean: e2eMs },
    });
  const state = (...points: readonly ReturnType<typeof level>[]) => {
    const plan = planOf({ preset: presets.standard });
    return { plan, workload: plan.workloads[0]!, points };
  };
  // A stay of 4 s and 60 ms more for each who shares the engine.
  const linear = state(...[1, 64, 128, 256, 512].map((n) => level(n, 4_000 + 60 * n)));

  test("is what the levels around the rate say, by Little's law", () => {
    // n = 12 × (4 + 0.06 n).
    expect(cohortAt(linear, 12)?.count).toBeCloseTo(171, -1);
    expect(cohortAt(linear, 12)?.stayMs).toBeCloseTo(14_250, -3);
  });

  test("is nobody at rates one user alone makes, and where there are no levels", () => {
    expect(cohortAt(linear, 0.2)).toBeNull();
    expect(cohortAt(state(), 12)).toBeNull();
  });

  test("is no more than made the highest throughput until the rate is clearly above it", () => {
    const most = 512 / (4 + 0.06 * 512);
    expect(cohortAt(linear, most * 1.01)?.count).toBeLessThanOrEqual(512);
    expect(cohortAt(linear, most * 1.1)?.count).toBe(768);
  });

  test("fills an engine that more users brought nothing with no more than filled it", () => {
    const full = state(...linear.points, level(1024, 70_000));
    const most = 1024 / 70;
    expect(cohortAt(full, most * 1.2)?.count).toBe(1024);
  });
});

describe("a rate that began with too many", () => {
  const stop = { settleMsMin: 1_000, windowMsMin: 15_000, windowMsMax: 15_000 };
  // Ten requests a second, one after the other; two hundred are twenty seconds.
  const held = async (ratePerSecond: number) => {
    const clock = new VirtualClock();
    const target = new ScriptedEngine({ clock, serviceMs: 100 });
    const cohort = { count: 200, stayMs: 20_000, fills: false };
    const objectives = ["ttft_p50<=1s"];
    const point = await pointVirtually(clock, target, {
      load: open(ratePerSecond),
      cohort,
      objectives,
      stop,
    });
    return point.verdicts[0]!;
  };

  test("does not fail for those it found: while they grow fewer nothing is concluded", async () => {
    const { verdict, share } = await held(6);
    expect(share).toBe(1);
    expect(verdict).toBe("undecided");
  });

  test("fails when they do not", async () => {
    expect((await held(12)).verdict).toBe("fail");
  });
});

describe("a rate above the highest throughput, begun with a full engine", () => {
  const stop = { settleMsMin: 1_000, windowMsMin: 15_000, windowMsMax: 15_000 };
  const held = async (ratePerSecond: number, objectives: readonly string[]) => {
    const clock = new VirtualClock();
    const target = new ScriptedEngine({ clock, serviceMs: 100 });
    const cohort = { count: 200, stayMs: 20_000, fills: true };
    const about = { load: open(ratePerSecond), cohort, objectives, stop };
    return pointVirtually(clock, target, about);
  };

  test("is saturated where it stays full and misses what it should keep", async () => {
    const point = await held(11, ["ttft_p50<=1s"]);
    expect(point.saturated).toBe(true);
    expect(point.saturatedBecause.join()).toContain("began full and did not empty");
  });

  test("is not where it empties, nor where it keeps its objective all the same", async () => {
    expect((await held(6, ["ttft_p50<=1s"])).saturated).toBe(false);
    expect((await held(10, ["ttft_p50<=10m"])).saturatedBecause.join()).not.toContain("full");
  });
});

test("completions that come as one wave are counted over the window, not over the wave", () => {
  const record = new PointRecord(0, null);
  const shape = { inputTokens: 8, outputTokens: 1 };
  const about = { route: "chat", body: {}, session: null, label: "r/p", plannedMs: 0 } as const;
  for (let index = 0; index < 100; index++) {
    const endedMs = 8_000 + index * 10;
    const prompt = { ...about, ...shape };
    const outcome = { kind: "completed", finishReason: "length" } as const;
    const times = { sentMs: 0, endedMs, timesMs: [endedMs], outputTokens: 1 };
    record.send(0, 0);
    record.end(plainExchange({ id: `${index}`, prompt, outcome, ...times }), 0, shape);
  }
  expect(ratesOf(record, 0, 10_000).completedRatePerSecond).toBeCloseTo(10);
});

describe("requests under way that grow", () => {
  const seconds = Array.from({ length: 60 }, (_, second) => second);

  test("grow for good when they go on growing", () => {
    const growing = seconds.map((second) => 50 + 2 * second);
    expect(isGrowing(growing, 20)).toBe(true);
  });

  test("do not when they come to rest: a queue's long wave does", () => {
    const wave = seconds.map((second) => 50 + Math.min(120, 5 * second));
    expect(isGrowing(wave, 20)).toBe(false);
  });

  test("do not when as many more came by chance than were planned", () => {
    const grown = (arrivalsPerSecond: number): boolean => {
      const record = new PointRecord(0, 50);
      for (const second of seconds) {
        record.inFlightEachSecond[second] = 50 + 2 * second;
        record.arrivals[second * 10] = arrivalsPerSecond;
      }
      return growsIn(record, [0, 60_000], 20);
    };
    expect(grown(20)).toBe(true);
    expect(grown(22)).toBe(false);
  });
});
