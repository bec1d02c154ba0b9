import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../../engines/exchange.ts";
import { FactReader } from "../../../../proxy/telemetry/fact.ts";
import type { SloOptions } from "../../../../proxy/telemetry/options.ts";
import { burnRate, rulesFor, wilsonLower } from "../../../../proxy/telemetry/slo/burn-rate.ts";
import { GoodValid } from "../../../../proxy/telemetry/slo/good-valid.ts";
import { SloDesk } from "../../../../proxy/telemetry/slo/slo-desk.ts";
import type { SloView } from "../../../../proxy/telemetry/slo/slo-view.ts";
import { exchangeOf } from "../../../harness/exchanges.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const FAILED: Outcome = { kind: "failed", code: "upstream_connect_failed" };
const FIRST_TOKEN: SloOptions = {
  name: "chat",
  objective: 0.95,
  match: { route: "chat" },
  targets: [{ metric: "ttft", belowMs: 300 }],
  windowMs: 28 * DAY,
};

/** One request every `everyMs`, bad while `isBad` says so, judged every ten seconds; returns when alerts changed, in minutes. */
class Timeline {
  readonly changes: string[] = [];
  readonly desk: SloDesk;
  readonly #facts = new FactReader();
  #nowMs: number;
  readonly #originMs: number;

  constructor(options: Partial<SloOptions> = {}, originMs = 100 * DAY) {
    this.#originMs = originMs;
    this.#nowMs = originMs;
    this.desk = new SloDesk([{ ...FIRST_TOKEN, ...options }], originMs, ({ alert }) => {
      const minute = Math.ceil((this.#nowMs - this.#originMs) / MINUTE);
      this.changes.push(
        `${alert.severity} ${alert.longMs / HOUR} h ${alert.firing ? "fires" : "clears"} in minute ${minute}`,
      );
    });
  }

  /** From here on minutes count from now. */
  run(durationMs: number, everyMs: number, isBad: (sinceMs: number) => boolean): this {
    const endMs = this.#nowMs + durationMs;
    for (; this.#nowMs < endMs; this.#nowMs += 1_000) {
      if (this.#nowMs % everyMs === 0)
        this.take(isBad(this.#nowMs - this.#originMs) ? { ttftMs: 900 } : {});
      this.desk.tick(this.#nowMs);
    }
    return this;
  }

  take(wish: Parameters<typeof exchangeOf>[0]): void {
    this.desk.take(this.#facts.read(exchangeOf({ endedMs: this.#nowMs - 1, ...wish }), "m"));
  }

  view(): SloView {
    const [view] = this.desk.slos.map((slo) => slo.view(this.#nowMs));
    return view!;
  }
}

describe("burn-rate alerts", () => {
  test("fire and clear at the minutes worked out by hand, at 99 %", () => {
    // One request a second, good for six hours; then half an hour in which every one is bad.
    const quiet = new Timeline({ objective: 0.99 }, 100 * DAY - 6 * HOUR).run(
      6 * HOUR,
      1_000,
      () => false,
    );
    expect(quiet.changes).toEqual([]);
    const base = 6 * 60;
    quiet.run(90 * MINUTE, 1_000, (since) => since < 6 * HOUR + 30 * MINUTE);
    // 1 h / 5 min at 0.02 × 672 h / 1 h = 13.44 ×, a bad share of 13.44 %: 484 of the 3 600 requests, and with the Wilson
    // bound 1.645 × √(0.1344 × 0.8656 / 3 600) = 0.9 % more: about 518 bad seconds, 8.6 minutes.
    // 6 h / 30 min at 5.6 ×: 1 210 of 21 600, with 0.26 % more about 1 266 bad seconds, 21.1 minutes.
    // After the end the 5 min window is at 13.44 % when 40 s of it are left, 4.3 minutes on; the 30 min window is at 5.6 %
    // when 101 s are left, 28.3 minutes on.
    // 1 d / 2 h at 2.8 ×: the day holds the 6 h of traffic there was, so 2.8 % of what came so far: at 21 600 good ones
    // 622 bad and the bound make 10.9 minutes; 2 h are at 2.8 % long after this timeline ends. 3 d / 6 h at 0.933 × alike.
    expect(quiet.changes.filter((change) => change.startsWith("page"))).toEqual([
      `page 1 h fires in minute ${base + 9}`,
      `page 6 h fires in minute ${base + 22}`,
      `page 1 h clears in minute ${base + 30 + 5}`,
      `page 6 h clears in minute ${base + 30 + 29}`,
    ]);
    expect(quiet.changes).toContain(`ticket 24 h fires in minute ${base + 12}`);
  });

  test("can fire at 90 % although no outage burns faster than ten times", () => {
    const [hourly, sixHourly] = rulesFor(0.9, 28 * DAY);
    expect(hourly!.factor).toBeCloseTo(5, 9);
    expect(hourly!.cappedFrom).toBeCloseTo(13.44, 9);
    expect(sixHourly!.cappedFrom).toBeCloseTo(5.6, 9);
    // Capped to 5 × the page needs half the hour bad, and the bound: 30.8 minutes of a whole outage.
    const timeline = new Timeline({ objective: 0.9 }, 100 * DAY).run(2 * HOUR, 1_000, () => false);
    timeline.run(HOUR, 1_000, () => true);
    expect(timeline.changes).toContain(`page 1 h fires in minute ${120 + 31}`);
  });

  test("stay quiet about one failed request at three in the morning", () => {
    const timeline = new Timeline({ objective: 0.999 }).run(DAY, 20 * MINUTE, () => false);
    timeline.take({ outcome: FAILED });
    timeline.run(3 * HOUR, 20 * MINUTE, () => false);
    expect(timeline.changes).toEqual([]);
    // The plain rate is far above every factor: 1 of 72 in a day at 99.9 %.
    expect(timeline.view().alerts.some((alert) => alert.held)).toBe(true);
  });

  test("speak up when everything fails at night, however little there is", () => {
    const timeline = new Timeline({ objective: 0.999 }).run(DAY, 5 * MINUTE, () => false);
    timeline.run(HOUR, 5 * MINUTE, () => true);
    // The third bad request of the hour comes ten minutes after the first.
    expect(timeline.changes[0]).toBe(`page 1 h fires in minute ${24 * 60 + 10}`);
  });

  test("shrink their windows with a shorter period and keep their factors", () => {
    const week = rulesFor(0.999, 7 * DAY);
    expect(week.map(({ longMs, shortMs }) => [longMs / MINUTE, shortMs / MINUTE])).toEqual([
      [15, 1],
      [90, 8],
      [360, 30],
      [1080, 90],
    ]);
    expect(week[0]!.factor).toBeCloseTo(13.44, 9);
    expect(rulesFor(0.999, 30 * DAY).map(({ factor }) => factor)).toEqual([14.4, 6, 3, 1]);
  });
});

describe("a promise", () => {
  test("says itself in words", () => {
    expect(new Timeline().view().sentence).toBe(
      "95 % of chat requests: first token < 300 ms over 28 days",
    );
    const options = {
      objective: 0.999,
      match: { model: "m", client: "team" },
      targets: [],
      windowMs: DAY,
    };
    expect(new Timeline(options).view().sentence).toBe(
      "99.9 % of requests to m of team: answered over 24 h",
    );
  });

  test("without traffic has no figure at all", () => {
    const view = new Timeline().view();
    expect(view).toMatchObject({
      attainment: null,
      budgetRemaining: null,
      exhaustedInMs: null,
      state: "ok",
    });
    expect(view.burn.every(({ rate }) => rate === null)).toBe(true);
  });

  test("counts who left and who asked wrongly neither as good nor as bad, and says how many", () => {
    const timeline = new Timeline();
    timeline.take({ outcome: { kind: "cancelled", phase: "decode" } });
    timeline.take({ outcome: { kind: "rejected", code: "upstream_status_400" } });
    timeline.take({ origin: "synthetic", ttftMs: 9_000 });
    timeline.take({ route: "embeddings", ttftMs: 9_000 });
    timeline.take({});
    const view = timeline.view();
    expect(view.valid).toBe(1);
    expect(view.excluded).toEqual({ cancelled: 1, rejected: 1, "not-applicable": 0 });
  });

  test("counts a full queue as its own failure", () => {
    const timeline = new Timeline();
    timeline.take({ outcome: { kind: "rejected", code: "queue_full" } });
    expect(timeline.view()).toMatchObject({ valid: 1, good: 0 });
  });

  test("tells the budget left and when it is gone", () => {
    // 2 % bad at an objective of 95 %: four tenths of the budget, burning at 0.4 ×.
    const timeline = new Timeline().run(2 * HOUR, 1_000, (since) => (since / 1_000) % 50 === 25);
    const view = timeline.view();
    expect(view.budgetRemaining).toBeCloseTo(0.6, 6);
    expect(view.burn.find(({ windowMs }) => windowMs === HOUR)?.rate).toBeCloseTo(0.4, 3);
    expect(view.exhaustedInMs! / DAY).toBeCloseTo((0.6 * 28) / 0.4, 1);
    expect(view.budgetHistory.at(-1)).toBeCloseTo(0.6, 6);
  });

  test.each([
    [{ objective: 1 }, "objective 1"],
    [{ objective: 95 }, "objective 95"],
    [{ windowMs: HOUR }, "window of 1 h"],
    [{ windowMs: 31 * DAY }, "window of 744 h"],
    [{ name: " " }, "no name"],
    [{ targets: [{ metric: "ttft" as const, belowMs: 0 }] }, "below 0 ms"],
  ])("that makes no sense is refused in a sentence: %j", (options, named) => {
    expect(() => new Timeline(options)).toThrow(named);
  });

  test("of a name used twice is refused", () => {
    expect(() => new SloDesk([FIRST_TOKEN, FIRST_TOKEN], 0, () => {})).toThrow("twice");
  });
});

describe("the counters of a promise", () => {
  test("agree with counting one by one, over every window", () => {
    const log = fc.array(
      fc.record({
        atMs: fc.integer({ min: 0, max: 3 * DAY }),
        isGood: fc.constantFrom<0 | 1>(0, 1),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(log, fc.constantFrom(MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, DAY), (events, span) => {
        const counts = new GoodValid();
        const sorted = events.toSorted((a, b) => a.atMs - b.atMs);
        for (const { atMs, isGood } of sorted) counts.add(atMs, isGood);
        const nowMs = 3 * DAY;
        const inside = sorted.filter(({ atMs }) => atMs >= nowMs - span && atMs < nowMs);
        expect(counts.window(span, nowMs)).toEqual({
          valid: inside.length,
          good: inside.filter(({ isGood }) => isGood === 1).length,
        });
      }),
    );
  });

  test("come back from kept minutes", () => {
    const before = new GoodValid();
    for (let second = 0; second < 600; second++)
      before.add(second * 1_000, second % 10 === 0 ? 0 : 1);
    const after = new GoodValid();
    after.restore(Array.from({ length: 10 }, (_, index) => before.minute(index * MINUTE)));
    expect(after.window(28 * DAY, 10 * MINUTE)).toEqual({ good: 540, valid: 600 });
    expect(after.window(5 * MINUTE, 10 * MINUTE)).toEqual({ good: 270, valid: 300 });
  });

  test("the Wilson bound is below the share and tightens with the count", () => {
    expect(wilsonLower(0, 0)).toBe(0);
    expect(wilsonLower(1, 1)).toBeLessThan(0.3);
    expect(wilsonLower(1_000, 10_000)).toBeGreaterThan(wilsonLower(10, 100));
    expect(wilsonLower(1_000, 10_000)).toBeLessThan(0.1);
    expect(burnRate({ good: 90, valid: 100 }, 0.95)).toBeCloseTo(2, 9);
  });
});
