import { expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { Load } from "../../../load/sweep/plan.ts";
import type { Target } from "../../../load/target.ts";
import { ScriptedEngine } from "../../harness/scripted-engine.ts";
import { pointVirtually } from "../../harness/virtual-sweep.ts";

const open = (
  ratePerSecond: number,
  arrivals: (Load & { mode: "open" })["arrivals"] = "constant",
): Load => ({ mode: "open", arrivals, ratePerSecond, cv: 1 });

test("TTFT and ITL of a scripted engine are recovered within 1 ms and 2 %", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 173, itlMs: 11.3 });
  const shape = { inputTokens: 8, outputTokens: 50 };
  const point = await pointVirtually(clock, target, { load: open(7, "poisson"), shape });
  expect(Math.abs(point.ttftMs.p50! - 173)).toBeLessThan(1);
  expect(Math.abs(point.itlMs.p50! - 11.3) / 11.3).toBeLessThan(0.02);
  expect(Math.abs(point.tpotMs.p50! - 11.3) / 11.3).toBeLessThan(0.02);
  expect(Math.abs(point.e2eMs.p50! - (173 + 49 * 11.3))).toBeLessThan(1);
  expect(point.littleError).toBeLessThan(0.05);
});

test("TTFOT counts from the planned send to the first output after reasoning, and those that only reasoned wait for it still", async () => {
  const clock = new VirtualClock();
  const engine = new ScriptedEngine({ clock, ttftMs: 100, itlMs: 10 });
  let sent = 0;
  const target: Target = {
    label: "reasons",
    async send(prompt, signal) {
      // Every fifth is over before its answer begins.
      const answers = ++sent % 5 > 0;
      const exchange = await engine.send(prompt, signal);
      const firstAnswerMs = answers ? exchange.times.firstTokenMs! + 250 : null;
      return { ...exchange, times: { ...exchange.times, firstAnswerMs } };
    },
  };
  const shape = { inputTokens: 8, outputTokens: 50 };
  const point = await pointVirtually(clock, target, { load: open(10), shape });
  expect(point.ttftMs.p50).toBeCloseTo(100, 0);
  expect(point.ttfotMs!.p50).toBeCloseTo(350, 0);
  expect(point.ttfotMs).toMatchObject({ p90: null, censored: Math.floor(point.n / 5) });

  const plain = await pointVirtually(clock, engine, { load: open(10), shape });
  expect(plain.ttfotMs).toBeNull();
});

test("percentiles are of requests planned in the window: those too slow to end in it are not forgotten", async () => {
  const clock = new VirtualClock();
  // Over capacity: the longer the run, the longer the wait.
  const target = new ScriptedEngine({ clock, serviceMs: 10 });
  const point = await pointVirtually(clock, target, { load: open(150) });
  expect(point.saturated).toBe(true);
  expect(point.flags).toContain("saturated");
  // Those still waiting at the end sort last, as longer than waited for: the p95 lies among them and is no number.
  expect(point.censored).toBeGreaterThan(500);
  expect(point.ttftMs).toMatchObject({ p95: null, max: null });
  expect(point.ttftMs.p50).toBeGreaterThan(3_000);
  const naive = point.completed / point.n;
  expect(naive).toBeLessThan(0.8);
});
