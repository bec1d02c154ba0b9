import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../../engines/virtual-clock.ts";
import { BREAKER, Breaker } from "../../../../proxy/upstream/health/breaker.ts";
import { Breakers } from "../../../../proxy/upstream/health/breakers.ts";
import { HoldDown } from "../../../../proxy/upstream/health/hold-down.ts";

function start(): { clock: VirtualClock; breaker: Breaker; fail: (times: number) => void } {
  const clock = new VirtualClock(1_000_000);
  const breaker = new Breaker(clock, BREAKER);
  const fail = (times: number): void => {
    for (let time = 0; time < times; time++) breaker.failed(breaker.sent());
  };
  return { clock, breaker, fail };
}

describe("a breaker", () => {
  test("opens on the fifth failure in a row, not on the fourth", () => {
    const { breaker, fail } = start();
    fail(4);
    expect(breaker.state).toBe("closed");
    fail(1);
    expect([breaker.state, breaker.admits]).toEqual(["open", false]);
  });

  test("is not opened by four failures between good answers, until half of ten were bad", () => {
    const { breaker, fail } = start();
    const good = (): void => void breaker.succeeded(breaker.sent());
    for (let round = 0; round < 4; round++) {
      good();
      fail(1);
    }
    expect(breaker.state).toBe("closed");
    good();
    fail(1);
    expect(breaker.state).toBe("open");
  });

  test("forgets failures that left the window", () => {
    const { clock, breaker, fail } = start();
    for (let round = 0; round < 20; round++) {
      fail(1);
      breaker.succeeded(breaker.sent());
      breaker.succeeded(breaker.sent());
      clock.advance(1_000);
    }
    expect(breaker.state).toBe("closed");
  });

  test("R13 lets nothing through while open, then exactly one trial at a time", () => {
    const { clock, breaker, fail } = start();
    fail(5);
    clock.advance(4_999);
    expect(breaker.admits).toBe(false);
    clock.advance(1);
    expect([breaker.state, breaker.admits]).toEqual(["half-open", true]);
    const trial = breaker.sent();
    expect(breaker.admits).toBe(false);
    expect(breaker.succeeded(trial)).toBe(false);
    expect(breaker.admits).toBe(true);
    expect(breaker.succeeded(breaker.sent())).toBe(true);
    expect(breaker.state).toBe("closed");
  });

  test("a trial the client breaks off proves nothing and frees the place for the next", () => {
    const { clock, breaker, fail } = start();
    fail(5);
    clock.advance(5_000);
    breaker.neutral(breaker.sent());
    expect([breaker.state, breaker.admits]).toEqual(["half-open", true]);
  });

  test("answers asked for before it opened do not decide about it", () => {
    const { clock, breaker, fail } = start();
    const old = breaker.sent();
    fail(5);
    clock.advance(5_000);
    breaker.succeeded(old);
    breaker.succeeded(old);
    expect(breaker.state).toBe("half-open");
    breaker.failed(old);
    expect(breaker.state).toBe("half-open");
  });

  test("stays open twice as long each time a trial fails, up to a minute, and starts over once closed", () => {
    const { clock, breaker, fail } = start();
    fail(5);
    const holds: number[] = [];
    for (let time = 0; time < 6; time++) {
      holds.push(breaker.openForMs);
      clock.advance(breaker.openForMs);
      fail(1);
    }
    expect(holds).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    clock.advance(60_000);
    for (let trial = 0; trial < 2; trial++) breaker.succeeded(breaker.sent());
    fail(5);
    expect(breaker.openForMs).toBe(5_000);
  });
});

test("R14 a model that always fails does not hold its replica out for the others", () => {
  const breakers = new Breakers(new VirtualClock(), BREAKER);
  for (let time = 0; time < 5; time++) breakers.of("bad").failed(breakers.of("bad").sent());
  expect([breakers.of("bad").admits, breakers.of("good").admits]).toEqual([false, true]);
  expect(breakers.anyOpen).toBe(true);
});

test("names of models beyond the limit share one breaker", () => {
  const breakers = new Breakers(new VirtualClock(), BREAKER);
  const own = new Set(Array.from({ length: 200 }, (_, index) => breakers.of(`m${index}`)));
  expect(own.size).toBe(65);
});

test("F45 a replica that flaps is kept out twice as long each time, until it has stood for a minute", () => {
  const clock = new VirtualClock(1_000_000);
  const hold = new HoldDown(clock);
  const heldMs = (): number => {
    hold.fell();
    let ms = 0;
    for (; hold.holds; ms += 500) clock.advance(500);
    hold.rose();
    return ms;
  };
  expect([heldMs(), heldMs(), heldMs(), heldMs(), heldMs()]).toEqual([
    5_000, 10_000, 20_000, 40_000, 60_000,
  ]);
  clock.advance(61_000);
  expect(heldMs()).toBe(5_000);
});
