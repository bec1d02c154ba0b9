import { describe, expect, test } from "vitest";
import { ScriptedCore, type ScriptedTiming } from "../../../engines/sim/scripted-core.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { ask, chat, CHAT, withEngine } from "../../harness/simulated.ts";

const TIMING: ScriptedTiming = { ttftMs: 100, itlMs: 10, ratePerSecond: null };

interface Seen {
  readonly tokensMs: number[];
  ended: "finished" | "failed" | null;
  abort: () => void;
}

function scripted(
  timing: Partial<ScriptedTiming> = {},
  speed = 1,
): { clock: VirtualClock; core: ScriptedCore; send: (tokens: number) => Seen } {
  const clock = new VirtualClock();
  const core = new ScriptedCore({ timing: { ...TIMING, ...timing }, clock, speed });
  const send = (tokens: number): Seen => {
    const seen: Seen = { tokensMs: [], ended: null, abort: () => {} };
    const submitted = core.submit(
      { id: "x", promptIds: [1, 2, 3], outputTokens: tokens, outputTokensMax: tokens, apiMs: 0 },
      {
        tokens: (_count, _total, atMs) => seen.tokensMs.push(atMs),
        finished: () => {
          seen.ended = "finished";
        },
        failed: () => {
          seen.ended = "failed";
        },
      },
    );
    seen.abort = submitted.abort;
    return seen;
  };
  return { clock, core, send };
}

describe("a scripted engine", () => {
  test("keeps its times to the millisecond, whoever else is there", () => {
    const { clock, core, send } = scripted();
    const many = Array.from({ length: 50 }, () => send(4));
    while (clock.step());
    for (const { tokensMs, ended } of many) {
      expect(tokensMs).toEqual([100, 110, 120, 130]);
      expect(ended).toBe("finished");
    }
    expect(core.stats()).toMatchObject({
      finished: 50,
      outputTokens: 200,
      promptTokens: 150,
      running: 0,
      waiting: 0,
    });
  });

  test("begins no more than its rate, in order of arrival", () => {
    const { clock, core, send } = scripted({ ratePerSecond: 10 });
    const all = Array.from({ length: 5 }, () => send(1));
    clock.advance(50);
    expect(core.stats()).toMatchObject({ running: 1, waiting: 4 });
    while (clock.step());
    expect(all.map(({ tokensMs }) => tokensMs[0])).toEqual([100, 200, 300, 400, 500]);
  });

  test("goes faster by its speed and slower by its fault", () => {
    const fast = scripted({}, 10);
    const one = fast.send(2);
    while (fast.clock.step());
    expect(one.tokensMs).toEqual([10, 11]);
    const slow = scripted();
    slow.core.slowdown = 3;
    const other = slow.send(2);
    while (slow.clock.step());
    expect(other.tokensMs).toEqual([300, 330]);
  });

  test("stands still while paused and goes on afterwards, without losing a token", () => {
    const { clock, core, send } = scripted();
    const one = send(5);
    clock.advance(115);
    core.paused = true;
    const late = send(1);
    clock.advance(1000);
    expect(one.tokensMs).toHaveLength(2);
    core.resume();
    while (clock.step());
    expect(one.tokensMs).toHaveLength(5);
    expect(late.ended).toBe("finished");
  });

  test("drops what is aborted, once, and fails the rest when it stops", () => {
    const { clock, core, send } = scripted();
    const [gone, left] = [send(9), send(9)];
    clock.advance(105);
    gone.abort();
    gone.abort();
    core.stop("over");
    while (clock.step());
    expect(gone).toMatchObject({ tokensMs: [100], ended: null });
    expect(left.ended).toBe("failed");
    expect(core.stats()).toMatchObject({ aborted: 1, running: 0 });
  });

  test("speaks through every persona, for a model nobody has heard of", async () => {
    const scriptedTiming = { ttftMs: 40, itlMs: 2, ratePerSecond: null };
    await withEngine(
      "sglang",
      { speed: 1, model: "nobody/own-model", scripted: scriptedTiming },
      async (engine) => {
        const answer = await ask(engine, CHAT, { ...chat(5), model: "nobody/own-model" });
        expect(answer.events.length).toBeGreaterThan(5);
        const row = engine.ledger[0]!;
        expect(row.firstTokenMs! - row.receivedMs).toBeGreaterThan(39);
        expect((await ask(engine, "/v1/loads")).text).toContain('"num_running_reqs":0');
      },
    );
  });
});
