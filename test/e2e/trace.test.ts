import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { engines } from "../../engines/index.ts";
import type { LedgerRow } from "../../engines/sim/books.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { replayTrace } from "../../load/replay.ts";
import type { Target } from "../../load/target.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { readTrace, traces, type TraceRow } from "../../load/trace.ts";
import { MODEL, startFleet, type TestFleet } from "../harness/fleet.ts";

/** Under way at most: a machine that cannot keep up with the trace takes longer, and turns no client away. */
const UNDER_WAY_MAX = 200;
/** How far the proxy's first token may be from the engine's. */
const APART_MS = 2;
/** Clients, proxy and engines share one loop: what makes a send late makes a token late, once on each hop. */
const LAG_TIMES = 3;

interface Sent {
  readonly exchange: Exchange;
  readonly lagMs: number;
}

let fleet: TestFleet;
let target: HttpTarget;
const records: Exchange[] = [];

beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm", "vllm", "vllm"], { engine: { speed: 8 } });
  fleet.proxy.telemetry.listen({ ended: (exchange) => records.push(exchange) });
  target = new HttpTarget({
    url: fleet.proxy.dataUrl,
    model: MODEL,
    engine: engines.openai,
    clock: systemClock,
    exactLength: false,
  });
});
afterAll(async () => {
  await target.close();
  await fleet.stop();
});

let wanted = 0;
const waiting: (() => void)[] = [];
const gated: Target = {
  label: "gated",
  async send(prompt, signal) {
    if (++wanted > UNDER_WAY_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    return target.send(prompt, signal).finally(() => {
      wanted--;
      waiting.shift()?.();
    });
  },
};

const p99 = (values: readonly number[]): number => percentile(ascending(values), 0.99) ?? Infinity;

async function replay(
  rows: readonly TraceRow[],
  speed: number,
): Promise<{ sent: number; seen: readonly Sent[]; recorded: readonly Exchange[] }> {
  records.length = 0;
  const seen: Sent[] = [];
  const { sent } = await replayTrace({
    trace: rows,
    target: gated,
    speed,
    loop: false,
    seed: 3,
    clock: systemClock,
    signal: new AbortController().signal,
    onExchange: (exchange, lagMs) => seen.push({ exchange, lagMs }),
  });
  return { sent, seen, recorded: [...records] };
}

/** The engine's own book entry of each record, by the id the proxy sent it. */
function ledger(): ReadonlyMap<string, LedgerRow> {
  return new Map(
    fleet.engines
      .flatMap((engine) => engine.ledger)
      .map((row) => [row.id.replace("chatcmpl-", ""), row]),
  );
}

test("2,000 requests of recorded traffic are 2,000 records, and every token is the engine's", async () => {
  const rows = (await readTrace(traces["azure-conversation"])).slice(0, 2_000);
  const { sent, seen, recorded } = await replay(rows, 25);
  expect(sent).toBe(2_000);
  expect(seen).toHaveLength(2_000);
  expect(recorded).toHaveLength(2_000);
  expect(new Set(recorded.map((exchange) => exchange.id)).size).toBe(2_000);
  expect(recorded.filter((exchange) => exchange.outcome.kind !== "completed")).toEqual([]);
  const books = ledger();
  const counts = recorded.map(({ id, tokens }) => ({
    id,
    input: tokens.input,
    output: tokens.output,
    by: tokens.countedBy,
  }));
  const truth = recorded.map(({ id }) => ({
    id,
    input: books.get(id)?.inputTokens,
    output: books.get(id)?.outputTokens,
    by: "usage",
  }));
  expect(counts).toEqual(truth);
  // Some twenty seconds of a core, of which a busy machine gives a tenth.
}, 300_000);

test("under light load the proxy's first token is the engine's own, to 2 ms at the p99", async () => {
  const rows = (await readTrace(traces["azure-conversation"])).slice(2_000, 2_200).map((row) => ({
    ...row,
    inputTokens: Math.min(row.inputTokens, 600),
    outputTokens: Math.min(row.outputTokens, 12),
  }));
  // A busy machine may delay one run; three in a row would be the proxy.
  let lateMs = Infinity;
  for (let attempt = 0; attempt < 3 && lateMs >= 0; attempt++) {
    const { seen, recorded } = await replay(rows, 6);
    const books = ledger();
    const apart = recorded.map(
      ({ id, times }) => times.firstTokenMs! - books.get(id)!.firstTokenMs!,
    );
    expect(apart).toHaveLength(200);
    lateMs = p99(apart) - Math.max(APART_MS, LAG_TIMES * p99(seen.map(({ lagMs }) => lagMs)));
  }
  expect(lateMs).toBeLessThan(0);
}, 120_000);
