import { describe, expect, test } from "vitest";
import { engines } from "../../../engines/index.ts";
import type { InferenceRoute } from "../../../engines/exchange.ts";
import { ExchangeTimer } from "../../../engines/exchange-timer.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { Deadlines, TIME_LIMITS, type TimeLimits } from "../../../proxy/http/deadlines.ts";

const TOKEN = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');

interface Watching {
  readonly clock: VirtualClock;
  readonly deadlines: Deadlines;
  readonly timer: ExchangeTimer;
  readonly watched: { blockedSinceMs: number | null };
  /** What it was ended with, and after how many ms. */
  readonly ended: { code: string; afterMs: number }[];
}

function watch(
  limits: Partial<TimeLimits>,
  { streamed = true, route = "chat" }: { streamed?: boolean; route?: InferenceRoute } = {},
): Watching {
  const clock = new VirtualClock(1_000_000);
  const deadlines = new Deadlines(clock, { ...TIME_LIMITS, ...limits });
  const startedMs = clock.nowMs();
  const timer = new ExchangeTimer(
    { id: "x", origin: "real", route, model: "m", streamed, startedMs, bytesIn: 0 },
    clock,
  );
  timer.received();
  timer.routed("r0", engines.vllm, null);
  const ended: Watching["ended"] = [];
  const watched = {
    timer,
    limits: deadlines.of("m"),
    attemptStartedMs: startedMs,
    blockedSinceMs: null as number | null,
    expire(code: string) {
      ended.push({ code, afterMs: clock.nowMs() - startedMs });
      unwatch();
    },
  };
  const unwatch = deadlines.watch(watched);
  return { clock, deadlines, timer, watched, ended };
}

/** Ended with `code`, between the limit and a twentieth beyond it. */
function expectAt(ended: Watching["ended"], code: string, limitMs: number): void {
  expect(ended.map((one) => one.code)).toEqual([code]);
  expect(ended[0]!.afterMs).toBeGreaterThanOrEqual(limitMs);
  expect(ended[0]!.afterMs).toBeLessThanOrEqual(limitMs * 1.05 + 5);
}

describe("a time limit", () => {
  test("F12 on connecting ends a try that gets no socket", () => {
    const { clock, ended } = watch({});
    clock.advance(60_000);
    expectAt(ended, "upstream_connect_failed", 2_000);
  });

  test("F28 on headers ends a wait for an engine that took the request and says nothing", () => {
    const { clock, timer, ended } = watch({ headersMs: 4_000 });
    timer.connected();
    clock.advance(60_000);
    expectAt(ended, "first_token_timeout", 4_000);
  });

  test("F29 on the first token ends a wait after headers, and comments do not put it off", () => {
    const { clock, timer, ended } = watch({ firstTokenMs: 4_000 });
    timer.connected();
    timer.headers(200, "text/event-stream");
    for (let second = 0; second < 8; second++) {
      timer.chunk(Buffer.from(": ping\n\n"));
      clock.advance(1_000);
    }
    expectAt(ended, "first_token_timeout", 4_000);
  });

  test("F30 on a stall ends a stream that began, counted from its last token, whatever comments come", () => {
    const { clock, timer, ended } = watch({ stallMs: 4_000 });
    timer.connected();
    timer.headers(200, "text/event-stream");
    clock.advance(3_000);
    timer.chunk(TOKEN);
    for (let second = 0; second < 8; second++) {
      clock.advance(1_000);
      timer.chunk(Buffer.from(": ping\n\n"));
    }
    expect(ended.map((one) => one.code)).toEqual(["upstream_stalled"]);
    expect(ended[0]!.afterMs).toBeGreaterThanOrEqual(7_000);
    expect(ended[0]!.afterMs).toBeLessThanOrEqual(7_200);
  });

  test("F31 a prefill of 290 s and a stream of an hour are not cut by anybody's default", () => {
    const { clock, timer, ended } = watch({});
    timer.connected();
    timer.headers(200, "text/event-stream");
    clock.advance(290_000);
    for (let token = 0; token < 60; token++) {
      timer.chunk(TOKEN);
      clock.advance(60_000);
    }
    expect(ended).toEqual([]);
  });

  test("F32 an answer in one piece may take 400 s to its headers", () => {
    const { clock, timer, ended } = watch({}, { streamed: false });
    timer.connected();
    clock.advance(400_000);
    expect(ended).toEqual([]);
    clock.advance(300_000);
    expectAt(ended, "first_token_timeout", 600_000);
  });

  test("F34 on a client that takes nothing sends the client away, and forgives the engine its silence", () => {
    const { clock, timer, watched, ended } = watch({ stallMs: 4_000, writeStallMs: 20_000 });
    timer.connected();
    timer.headers(200, "text/event-stream");
    timer.chunk(TOKEN);
    watched.blockedSinceMs = clock.nowMs();
    clock.advance(60_000);
    expectAt(ended, "client", 20_000);
  });

  test("on a stall counts bytes where no output can be read: a route of no known meaning", () => {
    const { clock, timer, ended } = watch(
      { stallMs: 4_000, firstTokenMs: 3_000 },
      { route: "other" },
    );
    timer.connected();
    timer.headers(200, "audio/mpeg");
    for (let second = 0; second < 10; second++) {
      timer.chunk(Buffer.from("noise"));
      clock.advance(1_000);
    }
    expect(ended).toEqual([]);
    clock.advance(10_000);
    expect(ended.map((one) => one.code)).toEqual(["upstream_stalled"]);
  });

  test("is a model's own where configured", () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock, {
      ...TIME_LIMITS,
      models: { big: { firstTokenMs: 9 } },
    });
    expect([deadlines.of("big").firstTokenMs, deadlines.of("big").stallMs]).toEqual([9, 120_000]);
    expect(deadlines.of("other").firstTokenMs).toBe(300_000);
    expect(deadlines.of("big")).toBe(deadlines.of("big"));
  });

  test("F54 does not count time in which the proxy itself stood still", () => {
    const { clock, timer, ended } = watch({ stallMs: 4_000 });
    timer.connected();
    timer.headers(200, "text/event-stream");
    timer.chunk(TOKEN);
    clock.advance(2_000);
    stall(clock, 30_000);
    clock.advance(1_500);
    expect(ended).toEqual([]);
    clock.advance(1_000);
    expect(ended.map((one) => one.code)).toEqual(["upstream_stalled"]);
  });

  test("F54 does not count any of several stalls, short as they are beside a short limit", () => {
    const { clock, ended } = watch({ connectMs: 300 });
    for (let count = 0; count < 4; count++) {
      clock.advance(30);
      stall(clock, 200);
    }
    clock.advance(150);
    expect(ended).toEqual([]);
    clock.advance(60);
    expect(ended.map((one) => one.code)).toEqual(["upstream_connect_failed"]);
  });

  test("keeps no timer once stopped", () => {
    const { clock, deadlines } = watch({});
    deadlines.stop();
    expect(clock.nextDueMs()).toBeNull();
  });
});

/** Moves the clock as a machine does whose loop is blocked: what fell due meanwhile runs once, late. */
function stall(clock: VirtualClock, forMs: number): void {
  const nowMs = clock.nowMs.bind(clock);
  clock.nowMs = () => nowMs() + forMs;
}
