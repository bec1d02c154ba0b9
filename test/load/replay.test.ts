import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import { engines } from "../../engines/index.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { type ReplayReport, replayTrace } from "../../load/replay.ts";
import type { PlannedPrompt, Target } from "../../load/target.ts";
import type { TraceRow } from "../../load/trace.ts";

/** Answers every request after a fixed time and remembers when each was sent. */
class Scripted implements Target {
  readonly label = "scripted";
  readonly sends: {
    readonly plannedMs: number;
    readonly sentMs: number;
    readonly session: string | null;
  }[] = [];
  inFlightMax = 0;
  #inFlight = 0;
  readonly #clock: VirtualClock;
  readonly #answerMs: number;

  constructor(clock: VirtualClock, answerMs: number) {
    this.#clock = clock;
    this.#answerMs = answerMs;
  }

  async send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    const { plannedMs, session, label } = prompt;
    this.sends.push({ plannedMs, sentMs: this.#clock.nowMs(), session });
    this.inFlightMax = Math.max(this.inFlightMax, ++this.#inFlight);
    const timer = new ExchangeTimer(
      {
        id: String(this.sends.length),
        origin: "synthetic",
        route: "chat",
        model: "m",
        streamed: true,
        startedMs: plannedMs,
        bytesIn: 1,
        label,
        session,
      },
      this.#clock,
    );
    timer.routed("r", engines.openai, null);
    await this.#clock.after(this.#answerMs, signal);
    this.#inFlight--;
    return timer.end(signal.aborted ? { kind: "cancelled" } : { kind: "answered" });
  }
}

interface Outcome {
  readonly report: ReplayReport;
  readonly target: Scripted;
  readonly sentMs: readonly number[];
}

async function replay(
  rows: readonly Partial<TraceRow>[],
  { answerMs = 100, speed = 1, forMs = 60_000 } = {},
): Promise<Outcome> {
  const clock = new VirtualClock();
  const target = new Scripted(clock, answerMs);
  const startMs = clock.nowMs();
  const trace = rows.map((row) => ({
    atMs: 0,
    inputTokens: 20,
    outputTokens: 2,
    blockIds: null,
    ...row,
  }));
  const stop = new AbortController();
  const running = replayTrace({
    trace,
    target,
    speed,
    loop: false,
    seed: 1,
    clock,
    signal: stop.signal,
    onExchange: () => {},
  });
  await clock.advanceSettling(forMs);
  stop.abort();
  await clock.advanceSettling(1);
  return {
    report: await running,
    target,
    sentMs: target.sends.map(({ sentMs }) => sentMs - startMs),
  };
}

describe("a replay", () => {
  test("sends each request at its recorded moment, whatever the target does", async () => {
    const { sentMs, target } = await replay(
      [{ atMs: 0 }, { atMs: 40 }, { atMs: 45 }, { atMs: 2000 }],
      { answerMs: 5000 },
    );
    expect(sentMs).toEqual([0, 40, 45, 2000]);
    expect(target.inFlightMax).toBe(4);
  });

  test("at twice the speed takes half the time", async () => {
    const { sentMs } = await replay([{ atMs: 0 }, { atMs: 1000 }, { atMs: 3000 }], { speed: 2 });
    expect(sentMs).toEqual([0, 500, 1500]);
  });

  test("of a piece cut out of a trace begins at once", async () => {
    const { sentMs } = await replay([{ atMs: 5000 }, { atMs: 5100 }]);
    expect(sentMs).toEqual([0, 100]);
  });

  test("never sends a turn before the one ahead of it has ended and been thought about", async () => {
    const turns = [0, 50, 100].map((atMs) => ({
      atMs,
      session: "s",
      thinkMs: atMs === 0 ? null : 30,
    }));
    const { sentMs, report, target } = await replay(turns, { answerMs: 100 });
    expect(sentMs).toEqual([0, 130, 260]);
    expect(report).toMatchObject({ sent: 3, delayedTurns: 2 });
    // Latency counts from the moment the turn could be asked, not from a moment nobody could have.
    expect(target.sends.every(({ plannedMs, sentMs: at }) => at === plannedMs)).toBe(true);
  });

  test("keeps a session's recorded pace when the target is fast enough", async () => {
    const turns = [0, 500, 1200].map((atMs) => ({ atMs, session: "s", thinkMs: 10 }));
    const { sentMs, report } = await replay(turns, { answerMs: 100 });
    expect(sentMs).toEqual([0, 500, 1200]);
    expect(report.delayedTurns).toBe(0);
  });

  test("lets one slow session hold up no other", async () => {
    const { sentMs } = await replay(
      [
        { atMs: 0, session: "a" },
        { atMs: 1, session: "a" },
        { atMs: 2, session: "b" },
      ],
      { answerMs: 1000 },
    );
    expect(sentMs).toEqual([0, 2, 1000]);
  });

  test("that is stopped sends nothing more and ends what is under way", async () => {
    const { report, sentMs } = await replay([{ atMs: 0 }, { atMs: 90_000 }], {
      answerMs: 600_000,
      forMs: 1_000,
    });
    expect(sentMs).toEqual([0]);
    expect(report.sent).toBe(1);
  });
});
