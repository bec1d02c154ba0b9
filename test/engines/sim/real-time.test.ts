import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import type { LedgerRow } from "../../../engines/sim/books.ts";
import type { LagView } from "../../../engines/sim/lag.ts";
import { type SimulatedEngine, startSimulatedEngine } from "../../../engines/sim/server.ts";
import { median, VirtualEngine } from "../../harness/virtual-engine.ts";

const setup = { persona: "vllm", model: "Qwen/Qwen3-14B", jitter: 0, seed: 1 } as const;
const shape = { input: 1024, output: 32 };
const REQUESTS = 30;
/** How far apart the two may be. */
const SHARE = 0.03;
/** The machine may be busy with something else in one of them. */
const ROUNDS = 4;

let engine: SimulatedEngine | null = null;
afterEach(async () => {
  await engine?.close();
  engine = null;
});

/** Half the requests per second that a flood of users gets out of the engine. */
function halfLoad(): number {
  const { tokensPerSecond } = new VirtualEngine(setup).users(64, shape, 3);
  return tokensPerSecond / shape.output / 2;
}

/** Sends requests at an even rate over HTTP and gives the engine's own record of them. */
async function overHttp(
  perSecond: number,
  round: number,
): Promise<{ readonly rows: readonly LedgerRow[]; readonly lag: LagView }> {
  engine = await startSimulatedEngine(setup);
  const { url } = engine;
  const startMs = systemClock.nowMs();
  const ask = async (index: number): Promise<void> => {
    await systemClock.after(startMs + (index * 1000) / perSecond - systemClock.nowMs());
    const from = (round * REQUESTS + index) * 2000;
    const prompt = Array.from({ length: shape.input }, (_, at) => (from + at) % 150_000);
    const answer = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: setup.model,
        prompt,
        max_tokens: shape.output,
        ignore_eos: true,
        stream: true,
      }),
    });
    await answer.text();
  };
  await Promise.all(Array.from({ length: REQUESTS }, (_, index) => ask(index)));
  const rows = [...engine.ledger];
  const { lag } = engine.state();
  await engine.close();
  engine = null;
  return { rows, lag };
}

/** The same arrivals on a clock that only moves when told to. */
function inVirtualTime(rows: readonly LedgerRow[]): { ttftMs: number; tpotMs: number } {
  const virtual = new VirtualEngine(setup);
  const { apiMs } = virtual.core.options.machine.profile;
  const ttfts: number[] = [];
  const tpots: number[] = [];
  for (const row of rows) {
    virtual.clock.schedule(row.receivedMs - rows[0]!.receivedMs + apiMs, () => {
      virtual.ask(shape, (measured) => {
        ttfts.push(measured.ttftMs + apiMs);
        tpots.push(measured.tpotMs);
      });
    });
  }
  virtual.run();
  return { ttftMs: median(ttfts), tpotMs: median(tpots) };
}

test("behind HTTP in real time the engine is as fast as in virtual time: TTFT and TPOT p50 within 3 % at half load", async () => {
  const perSecond = halfLoad();
  const rounds: Round[] = [];
  while (rounds.length < ROUNDS && !rounds.some(agrees)) {
    const { rows, lag } = await overHttp(perSecond, rounds.length);
    expect(rows.map((row) => row.outputTokens)).toEqual(rows.map(() => shape.output));
    expect(rows.every((row) => row.inputTokens === shape.input)).toBe(true);
    const ttft = median(rows.map((row) => row.firstTokenMs! - row.receivedMs));
    const tpot = median(
      rows.map((row) => (row.lastTokenMs! - row.firstTokenMs!) / (shape.output - 1)),
    );
    // A machine too busy to keep time says so itself; then what it is late by is not the engine's.
    const lateMs = lag.isTheLimit ? 2 * lag.p50Ms : 0;
    rounds.push({ real: { ttftMs: ttft, tpotMs: tpot }, virtual: inVirtualTime(rows), lateMs });
  }
  expect(rounds).toSatisfy((all: Round[]) => all.some(agrees));
}, 60_000);

interface Round {
  readonly real: { readonly ttftMs: number; readonly tpotMs: number };
  readonly virtual: { readonly ttftMs: number; readonly tpotMs: number };
  readonly lateMs: number;
}

function agrees({ real, virtual, lateMs }: Round): boolean {
  return (["ttftMs", "tpotMs"] as const).every(
    (of) => Math.abs(real[of] - virtual[of]) < SHARE * virtual[of] + lateMs,
  );
}
