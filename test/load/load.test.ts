import { describe, expect, test } from "vitest";
import type { Exchange } from "../../engines/exchange.ts";
import { engines } from "../../engines/index.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { seededRandom } from "../../engines/random.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import { closedLoop } from "../../load/pacers/closed-loop.ts";
import { planned } from "../../load/pacers/planned.ts";
import { poisson } from "../../load/pacers/poisson.ts";
import { uniformPrompts } from "../../load/prompts/shaped.ts";
import { percentile, samplesNeeded } from "../../load/statistics/percentile.ts";
import { runStage } from "../../load/stage.ts";
import type { Target } from "../../load/target.ts";

/** An engine of known timing in virtual time: first token after `ttftMs`, frozen until `frozenUntilMs`. */
function scripted(
  clock: VirtualClock,
  { ttftMs, frozenUntilMs = 0 }: { ttftMs: number; frozenUntilMs?: number },
): Target & { inFlightMax: number } {
  let inFlight = 0;
  const target = {
    label: "scripted",
    inFlightMax: 0,
    async send(prompt: Parameters<Target["send"]>[0]): Promise<Exchange> {
      target.inFlightMax = Math.max(target.inFlightMax, ++inFlight);
      const timer = new ExchangeTimer(
        {
          id: String(Math.random()),
          origin: "synthetic",
          route: "chat",
          model: "m",
          streamed: true,
          startedMs: prompt.plannedMs,
          bytesIn: 0,
          label: prompt.label,
        },
        clock,
      );
      timer.routed("scripted", engines.openai, null);
      timer.connected();
      timer.headers(200, "text/event-stream");
      await clock.after(Math.max(0, frozenUntilMs - clock.nowMs()) + ttftMs);
      timer.chunk(
        Buffer.from(
          'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
        ),
      );
      inFlight--;
      return timer.end({ kind: "answered" });
    },
  };
  return target;
}

async function stage(
  clock: VirtualClock,
  options: Partial<Parameters<typeof runStage>[0]> & {
    target: Target;
    pacer: Parameters<typeof runStage>[0]["pacer"];
  },
  virtualMs: number,
): Promise<Exchange[]> {
  const seen: Exchange[] = [];
  const prompts = uniformPrompts({ inputTokens: 10, outputTokens: 1 });
  const running = runStage({
    prompt: (random) => prompts.next(random),
    clock,
    random: seededRandom(1),
    label: "run/p",
    sending: new AbortController().signal,
    finishing: new AbortController().signal,
    onExchange: (exchange) => seen.push(exchange),
    ...options,
  });
  await clock.advanceSettling(virtualMs);
  await running;
  return seen;
}

describe("pacers", () => {
  test.each([
    [
      "a closed loop has room for one",
      closedLoop({ concurrency: 2 }),
      [50, 1, 7],
      { kind: "due", atMs: 50 },
    ],
    ["a closed loop is full", closedLoop({ concurrency: 2 }), [50, 2, 7], { kind: "full" }],
    [
      "a closed loop is done after its count",
      closedLoop({ concurrency: 2, count: 7 }),
      [50, 0, 7],
      { kind: "done" },
    ],
    [
      "a closed loop spreads its first round",
      closedLoop({ concurrency: 4, rampMs: 400 }),
      [0, 1, 2],
      { kind: "due", atMs: 200 },
    ],
    [
      "a plan keeps to its moments, late or not",
      planned([10, 20]),
      [500, 0, 1],
      { kind: "due", atMs: 20 },
    ],
    ["a plan ends", planned([10, 20]), [500, 0, 2], { kind: "done" }],
  ] as const)("%s", (_name, pacer, [elapsed, inFlight, sent], pace) => {
    expect(pacer.next(elapsed, inFlight, sent)).toEqual(pace);
  });

  test("Poisson arrivals have the rate asked for and the spread of independent users", () => {
    const pacer = poisson({ ratePerSecond: 50, durationMs: 400_000, random: seededRandom(5) });
    const at: number[] = [];
    for (let sent = 0; ; sent++) {
      const pace = pacer.next(0, 0, sent);
      if (pace.kind !== "due") break;
      at.push(pace.atMs);
    }
    const gaps = at.slice(1).map((ms, index) => ms - at[index]!);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(
      gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length,
    );
    expect(mean).toBeGreaterThan(19.5);
    expect(mean).toBeLessThan(20.5);
    expect(deviation / mean).toBeCloseTo(1, 1);
  });
});

describe("a stage", () => {
  test("holds its concurrency and never exceeds it", async () => {
    const clock = new VirtualClock();
    const target = scripted(clock, { ttftMs: 10 });
    const seen = await stage(
      clock,
      { target, pacer: closedLoop({ concurrency: 4, count: 40 }) },
      1_000,
    );
    expect(seen).toHaveLength(40);
    expect(target.inFlightMax).toBe(4);
  });

  test("counts latency from the planned moment: a frozen engine shows in every request it kept waiting", async () => {
    const clock = new VirtualClock();
    const target = scripted(clock, { ttftMs: 10, frozenUntilMs: 5_000 });
    const seen = await stage(
      clock,
      { target, pacer: planned(Array.from({ length: 50 }, (_, index) => index * 100)) },
      6_000,
    );
    const ttft = seen.map((exchange) => exchange.times.firstTokenMs! - exchange.times.startedMs);
    expect(Math.max(...ttft)).toBeCloseTo(5_010, 0);
    // One in flight at a time would have met the freeze once and hidden it from the rest.
    expect(ttft.filter((ms) => ms > 1_000).length).toBeGreaterThan(35);
  });

  test("stops sending when told and still waits for what is under way", async () => {
    const clock = new VirtualClock();
    const sending = new AbortController();
    clock.schedule(95, () => {
      sending.abort();
    });
    const seen = await stage(
      clock,
      {
        target: scripted(clock, { ttftMs: 50 }),
        pacer: planned(Array.from({ length: 50 }, (_, index) => index * 10)),
        sending: sending.signal,
      },
      1_000,
    );
    expect(seen).toHaveLength(10);
    expect(seen.every((exchange) => exchange.outcome.kind === "completed")).toBe(true);
  });
});

describe("figures", () => {
  test.each([
    [[1, 2, 3, 4], 0.5, 2.5],
    [[10], 0.99, 10],
    [[], 0.5, null],
    [[1, 2, 3, 4, 5], 1, 5],
  ])("percentile of %j at %d is %s", (values, q, wanted) => {
    expect(percentile(values, q)).toBe(wanted);
  });

  test.each([
    [0.5, 11],
    [0.9, 64],
    [0.95, 130],
    [0.99, 662],
  ])("the %d percentile needs %d samples", (q, n) => {
    expect(samplesNeeded(q)).toBe(n);
  });
});
