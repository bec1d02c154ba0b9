import { describe, expect, test } from "vitest";
import { exponential, seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { SweepSummary } from "../../../load/results/summary.ts";
import { type Preset, presets } from "../../../load/sweep/presets.ts";
import { trueCapacity, waitCdf } from "../../harness/md1.ts";
import { ScriptedEngine } from "../../harness/scripted-engine.ts";
import { sweepVirtually } from "../../harness/virtual-sweep.ts";

const SERVICE_MS = 10;
/** None of these was looked at while the method was made. */
const FIRST_SEED = 20_001;

/** The method's own steps, sized for an engine that serves a hundred a second. */
function preset(ratio: number): Preset {
  const { standard } = presets;
  return {
    ...standard,
    minimum: { requests: 11, windowMsMin: 2_000, windowMsMax: 4_000 },
    ladder: { ...standard.ladder, windowMsMin: 3_000, windowMsMax: 6_000 },
    envelope: [0.3, 0.6, 0.8, 0.9, 1.1],
    window: { windowMsMin: 10_000, windowMsMax: 200_000, requests: 130 },
    refine: { probes: 12, extend: 2, ratio },
    budgetMs: Infinity,
  };
}

async function capacityOf(seed: number, ratio: number, objective: string): Promise<SweepSummary> {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, serviceMs: SERVICE_MS });
  return sweepVirtually(clock, target, { preset: preset(ratio), seed, objectives: [objective] });
}

test("the exact wait of an M/D/1 queue agrees with one that is played out", () => {
  const random = seededRandom(7);
  let [wait, within] = [0, 0];
  const count = 1_000_000;
  for (let request = 0; request < count; request++) {
    if (wait <= 40) within++;
    wait = Math.max(0, wait + SERVICE_MS - exponential(random, 1000 / 85));
  }
  expect(waitCdf(40, 85, SERVICE_MS)).toBeCloseTo(within / count, 2);
});

describe("the capacity of an M/D/1 queue", () => {
  test("lies within the interval in at least 95 of 100 sweeps, every interval at most 5 % wide", async () => {
    const truth = trueCapacity(50 - SERVICE_MS, 0.5, SERVICE_MS);
    const [missed, wide]: [string[], string[]] = [[], []];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + 100; seed++) {
      const [capacity] = (await capacityOf(seed, 1.05, "ttft_p50<=50ms")).shapes[0]!.capacities;
      expect(capacity!.verdict).toBe("bounded");
      const [pass, fail] = [capacity!.passRatePerSecond!, capacity!.failRatePerSecond!];
      if (pass > truth || fail < truth) missed.push(`${seed}: ${capacity!.sentence}`);
      if (fail / pass > 1.05) wide.push(`${seed}: ${capacity!.sentence}`);
    }
    expect(missed.slice(5)).toEqual([]);
    expect(wide).toEqual([]);
  }, 900_000);

  test("says that its interval is wider than asked where probes run out first", async () => {
    const wanted = { ...preset(1.01), refine: { probes: 2, extend: 1, ratio: 1.01 } };
    const clock = new VirtualClock();
    const summary = await sweepVirtually(
      clock,
      new ScriptedEngine({ clock, serviceMs: SERVICE_MS }),
      { preset: wanted, objectives: ["ttft_p50<=50ms"] },
    );
    const [capacity] = summary.shapes[0]!.capacities;
    expect(capacity!.failRatePerSecond! / capacity!.passRatePerSecond!).toBeGreaterThan(1.01);
    expect(capacity!.sentence).toMatch(/requests\/s \([\d.]+ % apart, 1.0 % wanted\)$/);
  });

  test("is not reachable where one request alone is too slow, and the lone request is the proof", async () => {
    const [capacity] = (await capacityOf(1, 1.25, "ttft_p50<=5ms")).shapes[0]!.capacities;
    expect(capacity).toMatchObject({ verdict: "not-reachable", passRatePerSecond: null });
    expect(capacity!.sentence).toContain("alone takes 10 ms");
  });

  test("is undecided without an open-loop rate, and never guessed from a closed loop", async () => {
    const clock = new VirtualClock();
    const summary = await sweepVirtually(
      clock,
      new ScriptedEngine({ clock, serviceMs: SERVICE_MS }),
      {
        preset: presets.smoke,
        objectives: ["ttft_p95<=1s"],
      },
    );
    expect(summary.shapes[0]!.capacities).toEqual([]);
    expect(summary.headline).not.toContain("holds");
  });
});

test("a search in which the generator is the limit gives up: pressing on shows nothing of the engine", async () => {
  const clock = new VirtualClock();
  let [cpuShare, invalid] = [0, 0];
  const health = { begin: () => {}, read: () => ({ loopDelayP99Ms: 0, cpuShare }) };
  await sweepVirtually(clock, new ScriptedEngine({ clock, serviceMs: SERVICE_MS }), {
    preset: preset(1.05),
    objectives: ["ttft_p50<=50ms", "ttft_p95<=100ms"],
    options: { health },
    onEvent: (event) => {
      if (event.kind === "point-started") cpuShare = event.task.stage === "refine" ? 0.99 : 0.1;
      if (event.kind === "point-finished" && !event.point.valid) invalid++;
    },
  });
  expect(invalid).toBe(2);
});

test("a minute, five and twenty are what presets take: the sweep ends within its budget and a point", async () => {
  for (const [name, minutes] of [
    ["smoke", 1],
    ["quick", 7],
    ["standard", 24],
  ] as const) {
    const clock = new VirtualClock();
    const target = new ScriptedEngine({ clock, ttftMs: 60, itlMs: 8, serviceMs: 50 });
    await sweepVirtually(clock, target, {
      preset: presets[name],
      shape: { inputTokens: 8, outputTokens: 128 },
      objectives: ["ttft_p50<=300ms", "ttft_p95<=1s"],
    });
    expect(clock.nowMs() / 60_000).toBeLessThan(minutes);
  }
}, 60_000);
