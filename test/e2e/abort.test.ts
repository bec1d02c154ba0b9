import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { seededRandom } from "../../engines/random.ts";
import type { LedgerRow } from "../../engines/sim/books.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";

const CLIENTS = 200;
/** Longer than the latest hang-up: nobody's answer is over before. */
const TOKENS = 4_000;
const LATEST_MS = 600;
/** The promise is for the p99; the p90 is what a test can hold on a machine that others use as well. */
const REACHES_MS = 100;
/** Through the proxy a hang-up crosses two connections; where the machine is slow, each takes as long as a direct one. */
const DIRECT_TIMES = 3;
/** A busy machine may delay some rounds, not all: the best counts. */
const ROUNDS_MAX = 5;

let fleet: TestFleet;
beforeAll(async () => {
  // A fifth of the speed: two hundred streams at full speed would ask for all of the one core they share here.
  fleet = await startFleet(["vllm", "vllm"], { engine: { speed: 0.2 } });
});
afterAll(() => fleet.stop());

interface Reached {
  readonly proxied: number[];
  readonly direct: number[];
}

/**
 * Starts the clients, every fourth of them at an engine itself, hangs each up at a random moment, and returns how long
 * the engines took to know.
 */
async function hangUp(round: number): Promise<Reached> {
  const random = seededRandom(round);
  const leftMs = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    await systemClock.after(random.next() * 500);
    const id = `${index % 4 === 3 ? "direct" : "abort"}-${round}-${index}`;
    const origin = index % 4 === 3 ? fleet.engines[0]!.url : fleet.proxy.dataUrl;
    const client = httpRequest(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: { ...JSON_HEADERS, "x-request-id": id },
      agent: false,
    });
    client.on("error", () => {});
    client.on("response", (response) => {
      response.resume();
      response.on("error", () => {});
    });
    client.end(chatBody({ tokens: TOKENS, stream: index % 2 === 0 }));
    await systemClock.after(random.next() * LATEST_MS);
    leftMs.set(`chatcmpl-${id}`, systemClock.nowMs());
    client.destroy();
  });
  await Promise.all(clients);
  await until(() => fleet.proxy.feed.inFlightCount === 0, "nothing in flight at the proxy");
  const busy = (): number =>
    fleet.engines.reduce((sum, engine) => sum + engine.stats().running + engine.stats().waiting, 0);
  await until(() => busy() === 0, "nothing in the engines");
  const left = (): LedgerRow[] =>
    fleet.engines.flatMap((engine) => engine.ledger).filter((row) => leftMs.has(row.id));
  await until(() => left().every((row) => row.abortedMs !== null), "every engine knows");
  const rows = left();
  expect(rows.length).toBeGreaterThan(CLIENTS / 2);
  const took = (kind: string): number[] =>
    rows.filter((row) => row.id.includes(kind)).map((row) => row.abortedMs! - leftMs.get(row.id)!);
  return { proxied: took("abort-"), direct: took("direct-") };
}

const p90 = (values: readonly number[]): number => percentile(ascending(values), 0.9) ?? Infinity;

test(`F01, F02, F03 ${CLIENTS} clients that hang up at random moments free the engines at once`, async () => {
  // Clients, proxy and engines share one loop here: what holds it up holds up direct clients as well.
  let late = Infinity;
  for (let round = 1; round <= ROUNDS_MAX && late > 0; round++) {
    const { proxied, direct } = await hangUp(round);
    late = p90(proxied) - Math.max(REACHES_MS, DIRECT_TIMES * p90(direct));
  }
  expect(late).toBeLessThanOrEqual(0);
  expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
  const ended = [...fleet.proxy.telemetry.ring.newest()];
  expect(new Set(ended.map((exchange) => exchange.outcome.kind))).toEqual(new Set(["cancelled"]));
});
