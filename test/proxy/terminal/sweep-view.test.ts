import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { SweepEvent } from "../../../load/sweep/events.ts";
import { liveLines } from "../../../proxy/terminal/live-lines.ts";
import { FRAME_PERIOD_MS, Painter } from "../../../proxy/terminal/painter.ts";
import { printable, rendered } from "../../../proxy/terminal/span.ts";
import { sparkline } from "../../../proxy/terminal/sparkline.ts";
import { nothingYet, stateAfter } from "../../../proxy/terminal/sweep-state.ts";
import { sweepView } from "../../../proxy/terminal/sweep-view.ts";
import { FakeScreen } from "../../harness/screen.ts";
import {
  ended,
  planned,
  pointFinished,
  pointStarted,
  progressed,
  shapeStarted,
} from "../../harness/sweep-events.ts";

/** What the view shows at a moment after these events. */
function shown(events: readonly SweepEvent[], nowMs = 21_000, columns = 100): string {
  const state = events.reduce(stateAfter, nothingYet);
  return sweepView(state, nowMs)
    .map((line) => rendered(line, columns, "off"))
    .join("\n");
}

const underWay = [planned(), shapeStarted, pointStarted(), progressed()];

describe("the view of a sweep", () => {
  test("says what is held, how long, how fast, how the generator does and how much is left", () => {
    expect(shown(underWay).split("\n")).toEqual([
      "sweep      1024x128 (1 of 2) Llama-3.1-8B on vllm",
      "point      1  8 at once  ladder, measuring, 5 s so far",
      `TTFT p50   ${" ".repeat(39)}█ 42.4 ms`,
      `TPOT p50   ${" ".repeat(39)}█ 7.1 ms`,
      "load       8 in flight, 40 measured, none failed, 1024 tok/s out",
      "generator  keeps up: sends at most 0.4 ms late, loop 1.2 ms, CPU 21 %",
      `progress   ${"█".repeat(11)}${"░".repeat(29)} 26 %, 21 s so far, about 59 s left`,
    ]);
  });

  test("before anything is known is nothing", () => {
    expect(shown([])).toBe("");
  });

  test("of a point that has said nothing yet has dashes, no zeros", () => {
    const text = shown([planned(), shapeStarted, pointStarted({ mode: "closed", concurrency: 1 })]);
    expect(text).toContain("1 at a time  ladder, settling, 0 s so far");
    expect(text).toContain("load       —");
    expect(text).toContain("generator  —");
    expect(text).not.toContain("0.0 ms");
  });

  test("names an open loop's rate and arrivals, and failures", () => {
    const load = { mode: "open", arrivals: "poisson", ratePerSecond: 6.4321, cv: 1 } as const;
    const text = shown([planned(), shapeStarted, pointStarted(load), progressed({ failed: 3 })]);
    expect(text).toContain("6.43 req/s poisson");
    expect(text).toContain("3 failed");
  });

  test.each([
    [{ loopDelayP99Ms: 15 }, "near its limit"],
    [{ loopDelayP99Ms: 25 }, "is the limit"],
    [{ cpuShare: 0.9 }, "is the limit"],
    [{ cpuShare: null, loopDelayP99Ms: null }, "keeps up"],
  ])("with a generator at %j says it %s", (reading, words) => {
    expect(shown([...underWay, progressed(reading)])).toContain(`generator  ${words}`);
  });

  test("past its estimate does not promise a time", () => {
    expect(shown(underWay, 200_000)).toContain("longer than estimated");
  });

  test("cuts every line to the window", () => {
    const lines = shown(underWay, 21_000, 30).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBe(30);
  });

  test("shows a box for what an engine's name would do to a terminal", () => {
    const text = shown([planned("a\u001b]0;owned\u0007b\u202ec日"), shapeStarted, pointStarted()]);
    expect(text).toContain("a□]0;owned□b□c□ on vllm");
    expect(printable("Qwen/Qwen3-8B · ▁█—")).toBe("Qwen/Qwen3-8B · ▁█—");
  });

  test("keeps two minutes of its curves, however long the sweep", () => {
    const many = Array.from({ length: 500 }, (_, ttftP50Ms) => progressed({ ttftP50Ms }));
    const state = [...underWay, ...many].reduce(stateAfter, nothingYet);
    expect(state.ttftMs).toHaveLength(120);
    expect(state.ttftMs.at(-1)).toBe(499);
  });
});

test("a sparkline begins at zero: half as high is half as much, and a gap is a gap", () => {
  expect(sparkline([1, 2, null, 4, 8], 6)).toBe(" ▁▂ ▄█");
  expect(sparkline([0, 0], 2)).toBe("▁▁");
  expect(sparkline([5, 1, 1], 2)).toBe("██");
});

describe("the painter", () => {
  const lines = (sink: string[]): { data: (line: string) => void; progress: () => void } => ({
    data: (line) => sink.push(line),
    progress: () => {},
  });

  test("rewrites its block in place, five times a second at most, and not at all without a change", () => {
    const [clock, screen] = [new VirtualClock(), new FakeScreen()];
    let count = 0;
    const painter = new Painter(screen, clock, () => [
      [{ text: `n ${count}` }],
      [{ text: "same" }],
    ]);
    for (let step = 0; step < 100; step++) {
      count += 1;
      clock.advance(10);
    }
    expect(screen.text()).toBe("n 100\nsame");
    expect(screen.writes.length).toBeLessThanOrEqual(1 + 1_000 / FRAME_PERIOD_MS);
    const before = screen.writes.length;
    clock.advance(5_000);
    expect(screen.writes).toHaveLength(before);
    painter.close();
  });

  test("lets rows through above, erases itself at the end and gives the cursor back", () => {
    const [clock, screen] = [new VirtualClock(), new FakeScreen()];
    const listeners = process.listenerCount("exit");
    const live = liveLines(
      { data: (line) => screen.write(`${line}\n`), progress: () => {} },
      screen,
      clock,
    );
    for (const event of underWay) live.take(event);
    clock.advance(FRAME_PERIOD_MS);
    expect(screen.cursor).toBe("hidden");
    expect(screen.text()).toMatch(/TTFT p50 .*n\nsweep {6}1024x128/s);
    live.take(pointFinished);
    expect(screen.text()).toMatch(/c=8.*\nsweep .*\npoint {6}2 /);
    live.take(ended);
    expect(screen.text()).toMatch(/c=8.*\n\nOne replica holds [^\n]*$/);
    expect(screen.cursor).toBe("shown");
    clock.advance(5_000);
    live.close();
    expect(screen.text()).toMatch(/One replica holds [^\n]*$/);
    expect(process.listenerCount("exit")).toBe(listeners);
  });

  test("leaves nothing behind when the window got narrower under it", () => {
    const [clock, screen] = [new VirtualClock(), new FakeScreen(100)];
    const live = liveLines(lines([]), screen, clock);
    for (const event of underWay) live.take(event);
    clock.advance(FRAME_PERIOD_MS);
    const { length } = screen.writes;
    screen.columns = 50;
    screen.write = (text) => screen.writes.push(text) > 0;
    live.close();
    // Seven lines, of which six are wider than fifty columns now.
    expect(screen.writes[length]).toContain("\u001b[13F");
  });

  test("draws eighty columns where the terminal does not know its size", () => {
    const clock = new VirtualClock();
    const writes: string[] = [];
    const screen = { columns: 0, rows: 0, write: (text: string) => writes.push(text) };
    const painter = new Painter(screen, clock, () => [[{ text: "x".repeat(200) }]]);
    clock.advance(FRAME_PERIOD_MS);
    painter.close();
    expect(writes.join("")).toContain(`${"x".repeat(79)}\u001b[K`);
  });

  test("gives the cursor back when the program exits first", () => {
    const [clock, screen] = [new VirtualClock(), new FakeScreen()];
    const before = process.listeners("exit");
    const painter = new Painter(screen, clock, () => [[{ text: "block" }]]);
    clock.advance(FRAME_PERIOD_MS);
    const added = process.listeners("exit").filter((one) => !before.includes(one));
    expect(added).toHaveLength(1);
    added[0]!(0);
    expect(screen.cursor).toBe("shown");
    expect(screen.text()).toBe("");
    painter.close();
  });
});
