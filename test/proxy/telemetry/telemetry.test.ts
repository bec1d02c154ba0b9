import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { Tick } from "../../../proxy/live/frames.ts";
import { EXCHANGES_MAX, ExchangeRing } from "../../../proxy/telemetry/exchange-ring.ts";
import { Feed } from "../../../proxy/telemetry/feed.ts";
import { createTelemetry, type Telemetry } from "../../../proxy/telemetry/telemetry.ts";
import { begin, DONE, exchangeOf, fleetOf, TOKEN } from "../../harness/exchanges.ts";

function meterOf(models: readonly string[] = ["m"]): {
  clock: VirtualClock;
  meter: Telemetry;
  ticks: Tick[];
} {
  const clock = new VirtualClock();
  const meter = createTelemetry({ clock, fleet: fleetOf(models) });
  const ticks: Tick[] = [];
  meter.onTick((tick) => ticks.push(tick));
  return { clock, meter, ticks };
}

describe("traffic", () => {
  test("counts output in the second it came, unfinished requests included, and each token once", () => {
    const { clock, meter, ticks } = meterOf();
    const timer = begin(clock, meter.feed);
    clock.advance(100);
    timer.chunk(TOKEN);
    clock.advance(900);
    timer.chunk(TOKEN);
    timer.chunk(TOKEN);
    timer.chunk(DONE);
    meter.feed.closed(timer, timer.end({ kind: "answered" }));
    clock.advance(1_000);
    const [first, second] = ticks as [Tick, Tick];
    expect([first.real.outputTokens, second.real.outputTokens]).toEqual([1, 2]);
    expect([first.real.inFlight, second.real.inFlight]).toEqual([1, 0]);
    expect(first.real.ttft.filter((_, index) => index % 2 === 1)).toEqual([1]);
    expect(second.real.ttft).toEqual([]);
    expect(second.real.ended).toEqual({ completed: 1 });
  });

  test("never mixes real and synthetic, and counts probes nowhere", () => {
    const { clock, meter, ticks } = meterOf();
    for (const origin of ["real", "synthetic", "synthetic", "probe"] as const) {
      const timer = begin(clock, meter.feed, { origin });
      timer.chunk(TOKEN);
      timer.chunk(DONE);
      meter.feed.closed(timer, timer.end({ kind: "answered" }));
    }
    clock.advance(1_000);
    expect(ticks[0]!.real.ended).toEqual({ completed: 1 });
    expect(ticks[0]!.synthetic.ended).toEqual({ completed: 2 });
    expect(ticks[0]!.byReplica["r0"]!.real!.outputTokens).toBe(3);
  });

  test("a window is the sum of its seconds and forgets older ones", () => {
    const { clock, meter } = meterOf();
    for (let second = 0; second < 10; second++) {
      const timer = begin(clock, meter.feed);
      clock.advance(50 * (second + 1));
      timer.chunk(TOKEN);
      timer.chunk(DONE);
      meter.feed.closed(timer, timer.end({ kind: "answered" }));
      clock.advance(1_000 - 50 * (second + 1));
    }
    const window = meter.traffic.window(4_000, { population: "real" });
    expect(window.ended).toEqual({ completed: 4 });
    expect(window.inputTokens).toBe(28);
    expect(Math.abs(window.ttft.quantile(1)! - 500) / 500).toBeLessThan(0.01);
    const nobody = meter.traffic.window(4_000, { population: "real", replica: "nobody" });
    expect(nobody.ended).toEqual({});
  });

  test("a second that is closed late still holds only what ended in it", () => {
    const { clock, meter, ticks } = meterOf();
    meter.feed.ended(exchangeOf({ endedMs: 999 }));
    meter.feed.ended(exchangeOf({ endedMs: 1_000 }));
    meter.feed.ended(exchangeOf({ endedMs: 2_500 }));
    clock.advance(5_000);
    expect(ticks.map((tick) => tick.real.ended.completed ?? 0)).toEqual([1, 1, 1, 0, 0]);
    expect(ticks.map((tick) => tick.atMs)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  });

  test("a suspended machine leaves a gap and not an hour of zeros", () => {
    const { clock, meter, ticks } = meterOf();
    clock.advance(1_000);
    void meter.stop();
    const woken = new VirtualClock(3_600_000);
    const again = createTelemetry({ clock: woken, fleet: fleetOf(["m"]) });
    again.traffic.skipTo(7_200_000);
    expect(again.traffic.closesMs).toBe(7_201_000);
    expect(ticks).toHaveLength(1);
  });

  test("says which promise a completed request broke", () => {
    const { clock, meter, ticks } = meterOf();
    for (const [ttftMs, gap] of [
      [10, 10],
      [1_000, 10],
      [10, 100],
      [5_000, 900],
    ] as const)
      meter.feed.ended(exchangeOf({ endedMs: 900, ttftMs, gapsMs: [gap, gap] }));
    meter.feed.ended(exchangeOf({ endedMs: 900, outcome: { kind: "failed", code: "x" } }));
    clock.advance(1_000);
    expect(ticks[0]!.real.goodput).toEqual({ good: 1, slowTtft: 1, slowTpot: 1, slowBoth: 1 });
  });
});

test("the ring keeps the newest and forgets the oldest", () => {
  const clock = new VirtualClock();
  const ring = new ExchangeRing();
  const feed = new Feed([ring]);
  const ids: string[] = [];
  for (let index = 0; index < EXCHANGES_MAX + 10; index++) {
    const timer = begin(clock, feed);
    ids.push(timer.start.id);
    feed.closed(timer, timer.end({ kind: "cancelled" }));
  }
  expect([...ring.newest()]).toHaveLength(EXCHANGES_MAX);
  expect(ring.find(ids[0]!)).toBeUndefined();
  expect(ring.find(ids.at(-1)!)?.outcome.kind).toBe("cancelled");
  expect(ring.total).toBe(EXCHANGES_MAX + 10);
});
