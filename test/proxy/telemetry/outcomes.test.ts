import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { Outcome } from "../../../engines/exchange.ts";
import type { Tick } from "../../../proxy/live/frames.ts";
import { errors } from "../../../proxy/errors.ts";
import { Cell, errorsOf, mergeCells } from "../../../proxy/telemetry/cell.ts";
import { errorKind, errorKinds } from "../../../proxy/telemetry/error-kind.ts";
import { type OutcomesAnswer, readOutcomes } from "../../../proxy/telemetry/outcomes.ts";
import { createTelemetry } from "../../../proxy/telemetry/telemetry.ts";
import { exchangeOf, fleetOf } from "../../harness/exchanges.ts";

const failed = (code: string): Outcome => ({ kind: "failed", code });
const cut = (code: string): Outcome => ({ kind: "cut", code });

function watched(): {
  clock: VirtualClock;
  ticks: Tick[];
  end: (outcome: Outcome, replica?: string) => void;
  read: (windowMs: number, replica?: string) => OutcomesAnswer;
} {
  const clock = new VirtualClock();
  const meter = createTelemetry({ clock, fleet: fleetOf(["m"]) });
  const ticks: Tick[] = [];
  meter.onTick((tick) => ticks.push(tick));
  return {
    clock,
    ticks,
    end: (outcome, replica = "r0") => {
      meter.feed.ended(exchangeOf({ outcome, replica, endedMs: clock.nowMs() }));
    },
    read: (windowMs, replica) =>
      readOutcomes(meter.traffic, clock, {
        population: "real",
        windowMs,
        ...(replica === undefined ? {} : { replica }),
      }),
  };
}

describe("the kind of an error", () => {
  test.each([
    ["upstream_connect_failed", "connect"],
    ["first_token_timeout", "timeout"],
    ["upstream_stalled", "timeout"],
    ["upstream_status_503", "engine"],
    ["upstream_cut", "cut"],
    ["no_replica_available", "unavailable"],
    ["whatever an engine makes up", "other"],
    ["constructor", "other"],
  ])("of %s is %s", (code, kind) => {
    expect(errorKind(code)).toBe(kind);
  });

  test("is one of few for every code of ours", () => {
    const kinds = new Set(Object.keys(errors).map(errorKind));
    expect([...kinds].filter((kind) => !errorKinds.includes(kind))).toEqual([]);
  });
});

describe("how requests ended", () => {
  test("is told second by second and replica by replica, with errors by kind and nothing where there were none", () => {
    const { clock, ticks, end } = watched();
    end(failed("upstream_connect_failed"));
    end(cut("upstream_stalled"), "r1");
    clock.advance(1_000);
    end({ kind: "completed", finishReason: "stop" });
    end({ kind: "rejected", code: "queue_full" });
    clock.advance(1_000);
    expect(ticks[0]!.real.errors).toEqual({ connect: 1, timeout: 1 });
    expect(ticks[0]!.byReplica["r1"]!.real!.errors).toEqual({ timeout: 1 });
    expect(ticks[1]!.real.errors).toBeUndefined();
  });

  test("of a longer range is every second's sum, one replica's too, and nothing from before it", () => {
    const { clock, end, read } = watched();
    for (let minute = 0; minute < 120; minute++) {
      if (minute % 2 === 0) end(failed("upstream_status_500"));
      else end(cut("upstream_cut"), "r1");
      end({ kind: "completed", finishReason: "stop" });
      clock.advance(60_000);
    }
    const hour = read(3_600_000);
    expect(hour.errors).toEqual({ engine: 30, cut: 30 });
    expect(hour.ended).toEqual({ completed: 60, failed: 30, cut: 30 });
    const { good, slowTtft, slowTpot, slowBoth } = hour.completed;
    expect(good + slowTtft + slowTpot + slowBoth).toBe(60);
    expect(read(3_600_000, "r1").errors).toEqual({ cut: 30 });
    expect(read(3_600_000, "nobody").errors).toEqual({});
    expect(read(7_200_000).errors).toEqual({ engine: 60, cut: 60 });
  });

  test("is added to what an earlier release kept without kinds, whichever comes first", () => {
    const fresh = new Cell();
    fresh.count("failed");
    fresh.count("error:connect");
    const now = fresh.freeze();
    const before = { ...now, counts: now.counts.slice(0, 5) };
    for (const both of [mergeCells(before, now), mergeCells(now, before)]) {
      const cell = new Cell();
      cell.merge(both);
      expect([cell.get("failed"), errorsOf(cell)]).toEqual([2, { connect: 1 }]);
    }
  });
});
