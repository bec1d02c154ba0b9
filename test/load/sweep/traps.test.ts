import { describe, expect, test } from "vitest";
import { engines } from "../../../engines/index.ts";
import { seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { clientBound } from "../../../load/generator/health.ts";
import { refusedFields } from "../../../load/length-probe.ts";
import { tokenIdMaterial } from "../../../load/prompts/token-ids.ts";
import { workloadPrompts } from "../../../load/prompts/prompts.ts";
import { plainWorkload } from "../../../load/prompts/workload.ts";
import type { Load } from "../../../load/sweep/plan.ts";
import type { Preset } from "../../../load/sweep/presets.ts";
import { presets } from "../../../load/sweep/presets.ts";
import { ScriptedEngine } from "../../harness/scripted-engine.ts";
import { pointVirtually, sweepVirtually } from "../../harness/virtual-sweep.ts";

const open = (
  ratePerSecond: number,
  arrivals: (Load & { mode: "open" })["arrivals"] = "constant",
): Load => ({ mode: "open", arrivals, ratePerSecond, cv: 1 });

test("trap 3: four tokens an event: ITL is per token, ICL per event; the naive ITL is four times too long", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 100, itlMs: 40, tokensPerEvent: 4 });
  const shape = { inputTokens: 8, outputTokens: 400 };
  const point = await pointVirtually(clock, target, { load: open(5), shape });
  expect(point.itlMs.p50).toBeCloseTo(10, 1);
  expect(point.iclMs.p50).toBeCloseTo(40, 1);
  // (n − 1) tokens after the first event's: within one event in a hundred of 10.
  expect(point.tpotMs.p50! / 10).toBeGreaterThan(0.98);
  expect(point.tpotMs.p50! / 10).toBeLessThan(1.02);
  const naive = point.iclMs.p50! / point.itlMs.p50!;
  expect(naive).toBeCloseTo(4, 1);
});

test("trap 4: one stall of 2 s in 500 tokens shows as the longest gap; the naive mean hardly moves", async () => {
  const shape = { inputTokens: 8, outputTokens: 500 };
  const held = async (stall?: { event: number; ms: number }) => {
    const clock = new VirtualClock();
    const target = new ScriptedEngine({
      clock,
      ttftMs: 50,
      itlMs: 10,
      ...(stall ? { stall } : {}),
    });
    return pointVirtually(clock, target, { load: open(2), shape });
  };
  const [calm, stalled] = [await held(), await held({ event: 200, ms: 2_000 })];
  expect(stalled.stallMs.p50).toBeGreaterThan(2_000);
  expect(stalled.stallMs.p50).toBeLessThan(2_020);
  expect(calm.stallMs.p50).toBeLessThan(11);
  const naive = stalled.tpotMs.mean! - calm.tpotMs.mean!;
  expect(naive).toBeLessThan(4.1);
});

test("trap 5: an engine that freezes 5 s shows in the p99 from the planned send, not in that of the actual send of a waiting client", async () => {
  const freeze = { fromMs: 12_000, toMs: 17_000 };
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 20, frozen: freeze });
  const stop = { windowMsMin: 100_000, windowMsMax: 100_000 };
  const planned = await pointVirtually(clock, target, { load: open(10), stop });
  expect(planned.ttftMs.p99).toBeGreaterThan(4_000);
  // A client that waits for each answer meets the freeze once in a thousand requests and calls it an outlier.
  const waiting = new VirtualClock();
  const closed = await pointVirtually(
    waiting,
    new ScriptedEngine({ clock: waiting, ttftMs: 100, frozen: freeze }),
    {
      load: { mode: "closed", concurrency: 1 },
      stop,
    },
  );
  const naive = closed.ttftMs.p99;
  expect(closed.n).toBeGreaterThan(662);
  expect(naive).toBeLessThan(120);
});

test("trap 6: the TPOT of one token is not defined; the naive zero would drag the median down", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 10 });
  const point = await pointVirtually(clock, target, { load: open(5) });
  expect(point.tpotMs).toMatchObject({ n: 0, p50: null, mean: null });
});

test("trap 7: an engine that stops early is flagged, and rates use what came; the naive rate uses what was asked", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 10, itlMs: 1, tokensMax: 64 });
  const shape = { inputTokens: 8, outputTokens: 128 };
  const point = await pointVirtually(clock, target, { load: open(5), shape });
  expect(point.flags).toContain("off-target-output");
  expect(point.outputTokens).toMatchObject({ nominal: 128, p50: 64, onTarget: 0 });
  expect(point.outputTokensPerSecond).toBeCloseTo(5 * 64, -1);
  const naive = point.completedRatePerSecond * point.outputTokens.nominal;
  expect(naive / point.outputTokensPerSecond).toBeGreaterThan(1.9);
});

test("trap 8: a tenth of a request per second is held; the naive whole number would send none", async () => {
  const clock = new VirtualClock();
  const point = await pointVirtually(clock, new ScriptedEngine({ clock, ttftMs: 10 }), {
    load: open(0.1),
    stop: { windowMsMin: 200_000, windowMsMax: 200_000 },
  });
  expect(point.n).toBe(20);
  expect(point.offeredRatePerSecond).toBe(0.1);
  const naive = Math.round(0.1);
  expect(naive).toBe(0);
});

test("trap 10: the median of a skewed latency is not its mean", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, serviceMs: 10 });
  const point = await pointVirtually(clock, target, {
    load: open(90, "poisson"),
    stop: { windowMsMin: 60_000, windowMsMax: 60_000 },
  });
  const naive = point.ttftMs.mean!;
  expect(naive / point.ttftMs.p50!).toBeGreaterThan(1.2);
});

test("trap 11: where three in ten fail, goodput and the error-adjusted percentile fall; the naive percentile says all is well", async () => {
  const clock = new VirtualClock();
  // Three in ten, but never over a fifth of the first twenty: else the point would stop.
  const target = new ScriptedEngine({ clock, ttftMs: 10, fails: (n) => n % 20 >= 17 });
  const point = await pointVirtually(clock, target, {
    load: open(20),
    stop: { windowMsMin: 40_000, windowMsMax: 40_000 },
    objectives: ["ttft_p95<=1s", "goodput(ttft<=1s,e2e<=5s)>=90%"],
  });
  expect(point.failed / point.n).toBeCloseTo(0.15, 1);
  expect(point.verdicts.map(({ verdict }) => verdict)).toEqual(["fail", "fail"]);
  expect(point.errorAdjustedE2eMs).toEqual({ p50: 10, p95: null });
  expect(point.flags).toContain("failures");
  const naive = point.ttftMs.p95;
  expect(naive).toBeCloseTo(10);
});

test("trap 11: a level at which more than a fifth fail is given up", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 10, fails: (n) => n % 10 < 3 });
  const point = await pointVirtually(clock, target, { load: open(20) });
  expect(point.stopReason).toBe("errors");
  expect(point.windowMs).toBeLessThan(5_000);
});

test("trap 13: a prompt cache that answers for the engine is flagged; the naive point looks like any other", async () => {
  const held = async (cachedTokens: number) => {
    const clock = new VirtualClock();
    const shape = { inputTokens: 100, outputTokens: 1 };
    return pointVirtually(clock, new ScriptedEngine({ clock, ttftMs: 5, cachedTokens }), {
      load: open(5),
      shape,
    });
  };
  expect((await held(2)).flags).toContain("cache-warm");
  expect((await held(0)).flags).not.toContain("cache-warm");
  const naive = (await held(2)).ttftMs.p50;
  expect(naive).toBe((await held(0)).ttftMs.p50);
});

describe("trap 14: a point at which the generator was the limit is refused", () => {
  const fine = {
    sendLagP99Ms: 1,
    ttftP50Ms: 100,
    loopDelayP99Ms: 2,
    cpuShare: 0.3,
    eventsPerSecond: 1_000,
    ceilingEventsPerSecond: 50_000,
  };

  test("not while it keeps up, nor for a lag that a slow engine dwarfs", () => {
    expect(clientBound(fine)).toBeNull();
    expect(clientBound({ ...fine, sendLagP99Ms: 15, ttftP50Ms: 1_000 })).toBeNull();
  });

  test.each([
    ["sends are late", { sendLagP99Ms: 6 }, "late"],
    ["its loop is held up", { loopDelayP99Ms: 25 }, "event loop"],
    ["it has no core left", { cpuShare: 0.9 }, "of a core"],
    ["it reads over half of what loopback carries", { eventsPerSecond: 26_000 }, "half"],
  ])("when %s", (_name, seen, sentence) => {
    expect(clientBound({ ...fine, ...seen })).toContain(sentence);
  });
});

test("trap 16: without usage counts are estimated and said to be", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, ttftMs: 5, countedBy: "events" });
  const point = await pointVirtually(clock, target, { load: open(5) });
  expect(point.flags).toContain("estimated-tokens");
});

test("trap 17: a field answered with 400 is dropped once and remembered", async () => {
  const asked: string[][] = [];
  const post = async (_path: string, body: object) => {
    asked.push(Object.keys(body));
    return { status: "min_tokens" in body ? 400 : 200, body: "{}" };
  };
  const refused = await refusedFields(post, { engine: engines.vllm, model: "m" });
  expect(refused).toEqual(["min_tokens"]);
  expect(asked).toHaveLength(2);
  expect(asked[1]).not.toContain("min_tokens");
  expect(asked[1]).toContain("ignore_eos");
});

/** A sweep that takes a few thousand scripted requests. */
const SHORT: Preset = {
  ...presets.standard,
  minimum: { requests: 11, windowMsMin: 2_000, windowMsMax: 4_000 },
  ladder: { ...presets.standard.ladder, windowMsMin: 2_000, windowMsMax: 4_000 },
  envelope: [0.2, 0.5, 0.8],
  window: { windowMsMin: 10_000, windowMsMax: 20_000, requests: 64 },
  refine: { probes: 0, extend: 1, ratio: 1.15 },
};

test("trap 18: a sweep that is cancelled keeps its finished points and cuts what is under way", async () => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({ clock, serviceMs: 10 });
  const stop = new AbortController();
  let finished = 0;
  const summary = await sweepVirtually(clock, target, {
    preset: SHORT,
    options: { signal: stop.signal },
    onEvent: (event) => {
      if (event.kind === "point-finished") finished++;
      if (event.kind === "progress" && finished === 4) stop.abort();
    },
  });
  expect(summary).toMatchObject({ interrupted: true, valid: false });
  expect(summary.shapes[0]?.points).toHaveLength(2);
  expect(target.inFlight).toBe(0);
});

test.each([
  [1.2, true],
  [1, false],
])("trap 19: an engine %d times as slow at the end has drifted: %s", async (factor, drifted) => {
  const clock = new VirtualClock();
  const target = new ScriptedEngine({
    clock,
    ttftMs: 50,
    itlMs: 10,
    slower: { fromMs: 90_000, factor },
  });
  const summary = await sweepVirtually(clock, target, {
    preset: { ...SHORT, ladder: { ...SHORT.ladder, concurrencyMax: 4 } },
    shape: { inputTokens: 8, outputTokens: 10 },
    onEvent: (event) => {
      // The fake slows down right before the closing point.
      if (event.kind === "point-started" && event.task.stage === "repeat") {
        clock.advance(Math.max(0, 90_000 - clock.nowMs()));
      }
    },
  });
  expect(summary.shapes[0]?.drift?.drifted).toBe(drifted);
});

test("trap 20: the same seed plans the same arrivals and the same prompts, byte for byte, whatever the engine does", async () => {
  const sent = async (ttft: number, seed: number): Promise<string> => {
    const clock = new VirtualClock();
    const rows: string[] = [];
    const engine = new ScriptedEngine({ clock, ttftMs: ttft });
    const corpus = Array.from({ length: 500 }, (_, index) => index + 100);
    const material = tokenIdMaterial({
      corpus,
      kind: "token-ids",
      promptOfTokens: (ids) => ({ prompt: ids }),
      addedTokens: 1,
    });
    const prompts = workloadPrompts(plainWorkload({ inputTokens: 40, outputTokens: 1 }), material, {
      seed,
      rows: [],
    });
    const random = seededRandom(seed);
    const point = await pointVirtually(
      clock,
      {
        label: "spy",
        send: (prompt, signal) => {
          if (rows.length < 100)
            rows.push(`${prompt.plannedMs} ${JSON.stringify(prompts.next(random, 0).body)}`);
          return engine.send(prompt, signal);
        },
      },
      { load: open(10, "poisson"), seed },
    );
    expect(point.n).toBeGreaterThan(100);
    return rows.join("\n");
  };
  const first = await sent(5, 1);
  expect(first.length).toBeGreaterThan(10_000);
  expect(await sent(500, 1)).toBe(first);
  expect(await sent(5, 2)).not.toBe(first);
});
