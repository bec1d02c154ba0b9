import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { SweepEvent } from "../../../load/sweep/events.ts";
import { plainLines } from "../../../proxy/commands/sweep-lines.ts";
import { ViewReader } from "../../../proxy/commands/view-reader.ts";
import { SweepBook } from "../../../proxy/synthetic/sweep-book.ts";
import type { SweepOrder } from "../../../proxy/synthetic/sweep-order.ts";
import type { CoTraffic, Difference } from "../../../proxy/synthetic/sweep-view.ts";
import { liveLines } from "../../../proxy/terminal/live-lines.ts";
import { wholeRun } from "../../load/results/fixture.ts";
import { FakeScreen } from "../../harness/screen.ts";
import {
  ended,
  PLAN,
  planned,
  pointFinished,
  pointStarted,
  progressed,
} from "../../harness/sweep-events.ts";

const order: SweepOrder = {
  request: { replica: "vllm-0" },
  model: "m",
  plan: PLAN,
  path: "both",
  traffic: "drained",
  limits: { share: 1, tokens: 1_000_000, minutes: 10 },
  guards: null,
  inFlightMax: 100,
};
const alone = (): CoTraffic => ({
  requestsPerSecond: 0,
  inputTokensPerSecond: 0,
  outputTokensPerSecond: 0,
  inFlightMean: 0,
  ttftP95Ms: null,
  n: 0,
});
const adds = (median: number): Difference => ({
  median,
  low: median - 0.1,
  high: median + 0.1,
  pairs: 64,
  direct: 20,
  routed: 20 + median,
});

/** A sweep in a proxy, asked after each thing that happens there; gives what its reader said. */
function watched(happenings: readonly (SweepEvent | ((book: SweepBook) => void))[]): {
  readonly events: readonly SweepEvent[];
  readonly said: readonly string[];
} {
  const book = new SweepBook("r", order, 0);
  const events: SweepEvent[] = [];
  const said: string[] = [];
  const take = (line: string): void => void said.push(line);
  const lines = { data: take, progress: take };
  const toLines = plainLines(lines);
  const reader = new ViewReader(lines, (event) => {
    events.push(event);
    toLines(event);
  });
  for (const happening of happenings) {
    if (typeof happening === "function") happening(book);
    else book.hear(happening, alone);
    reader.hear(book.view());
    // Asked twice, it has said nothing new.
    const before = events.length;
    reader.hear(book.view());
    expect(events.length).toBe(before);
  }
  return { events, said };
}

const summed = (book: SweepBook): void => {
  book.summary = ended.kind === "ended" ? ended.summary : null;
};
const over = (book: SweepBook): void => {
  book.end({ state: "done", because: "reached the end of its plan", error: null }, 1_000);
};

describe("what the API shows of a sweep becomes", () => {
  test("the events of one that runs here, each once and in order", () => {
    const { events } = watched([
      planned(),
      pointStarted(),
      progressed(),
      progressed({ elapsedMs: 6_000 }),
      pointFinished,
      summed,
    ]);
    expect(events.map(({ kind }) => kind)).toEqual([
      "planned",
      "shape-started",
      "point-started",
      "progress",
      "progress",
      "point-finished",
    ]);
    const { said } = watched([planned(), pointFinished, summed, over]);
    expect(said.filter((line) => line.startsWith("sweep r of"))).toHaveLength(1);
    expect(said.at(-1)).toContain(wholeRun().headline);
  });

  test("a point that began and ended between two asks is told of all the same", () => {
    const { events } = watched([
      (book) => {
        for (const event of [planned(), pointStarted(), progressed(), pointFinished])
          book.hear(event, alone);
      },
    ]);
    expect(events.map(({ kind }) => kind)).toEqual(["planned", "shape-started", "point-finished"]);
  });

  test("words for states no event tells of", () => {
    const { said } = watched([
      (book) => {
        book.state = "draining";
        book.because = "waits until users' requests on the replica have ended";
      },
    ]);
    expect(said.at(-1)).toBe(
      "sweep r of vllm-0: draining: waits until users' requests on the replica have ended",
    );
  });

  test("at the end a line of what the proxy adds, and from which load on it adds more", () => {
    const book = new SweepBook("r", order, 0);
    for (const event of [planned(), pointStarted(), pointFinished]) book.hear(event, alone);
    const { pointId } = book.lastPoint!;
    const at = (ms: number) => ({ ttftMs: adds(ms), tpotMs: adds(0), e2eMs: null });
    book.compare(pointId, at(3), { ...at(0.8), points: ["light"], dearer: [pointId] });
    summed(book);
    over(book);
    const said: string[] = [];
    const lines = { data: (line: string) => void said.push(line), progress: () => {} };
    new ViewReader(lines, () => {}).hear(book.view());
    expect(said).toEqual([
      "\nrouted − direct: TTFT +0.80 ms [0.70, 0.90], 64 pairs · TPOT +0.00 ms [-0.10, 0.10], 64 pairs · E2E —",
      "from c=8 on it adds more: TTFT +3.00 ms [2.90, 3.10], 64 pairs",
    ]);
  });
});

test("on a terminal it has the live view of a sweep that runs here, and leaves nothing of it behind", () => {
  const screen = new FakeScreen();
  const clock = new VirtualClock();
  const print = (line: string): void => void screen.write(`${line}\n`);
  const live = liveLines({ data: print, progress: print }, screen, clock);
  const reader = new ViewReader(live.lines, live.take);
  const book = new SweepBook("r", order, 0);
  const hear = (event: SweepEvent): void => {
    book.hear(event, alone);
    reader.hear(book.view());
    clock.advance(250);
  };
  for (const event of [planned(), pointStarted(), progressed()]) hear(event);
  expect(screen.text()).toContain("point      1  8 at once  ladder, measuring, 5 s so far");
  expect(screen.text()).toContain("TTFT p50");
  expect(screen.cursor).toBe("hidden");
  book.state = "stopping";
  book.because = "stopped by an operator";
  hear(progressed({ elapsedMs: 6_000 }));
  const lines = screen.text().split("\n");
  const told = lines.findIndex((line) => line.includes("stopping: stopped by an operator"));
  expect(told).toBeLessThan(lines.findIndex((line) => line.startsWith("point ")));
  live.close();
  expect(screen.text()).not.toMatch(/^(point|progress) /m);
  expect(screen.cursor).toBe("shown");
});
