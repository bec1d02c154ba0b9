import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { seededRandom } from "../../engines/random.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";

const CLIENTS = 200;
/** Longer than the latest hang-up: nobody's answer is over before. */
const TOKENS = 4_000;
const LATEST_MS = 600;
/** The promise: the engine knows within this time at the p99. */
const REACHES_MS = 100;

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm"]);
});
afterAll(() => fleet.stop());

test(`${CLIENTS} clients that hang up at random moments free the engines at once`, async () => {
  const random = seededRandom(11);
  const leftMs = new Map<string, number>();
  const clients = Array.from({ length: CLIENTS }, async (_, index) => {
    await systemClock.after(random.next() * 500);
    const id = `abort-${index}`;
    const stream = index % 2 === 0;
    const client = httpRequest(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { ...JSON_HEADERS, "x-request-id": id },
      agent: false,
    });
    client.on("error", () => {});
    client.on("response", (response) => {
      response.resume();
      response.on("error", () => {});
    });
    client.end(chatBody({ tokens: TOKENS, stream }));
    await systemClock.after(random.next() * LATEST_MS);
    leftMs.set(id, systemClock.nowMs());
    client.destroy();
  });
  await Promise.all(clients);
  await until(() => fleet.proxy.feed.inFlightCount === 0, "nothing in flight at the proxy");
  await until(
    () => fleet.engines.every((engine) => engine.stats().running + engine.stats().waiting === 0),
    "nothing in the engines",
  );

  const rows = fleet.engines.flatMap((engine) => engine.ledger);
  expect(rows.filter((row) => row.abortedMs === null)).toEqual([]);
  expect(rows.length).toBeGreaterThan(CLIENTS / 2);
  const delays = rows.map((row) => row.abortedMs! - leftMs.get(row.id.replace("chatcmpl-", ""))!);
  expect(percentile(ascending(delays), 0.99)).toBeLessThan(REACHES_MS);
  expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
  const outcomes = [...fleet.proxy.telemetry.ring.newest()].map(
    (exchange) => exchange.outcome.kind,
  );
  expect(new Set(outcomes)).toEqual(new Set(["cancelled"]));
});
