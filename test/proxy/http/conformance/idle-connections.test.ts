import { afterAll, beforeAll, expect, test } from "vitest";
import { ascending, percentile } from "../../../../load/statistics/percentile.ts";
import { until } from "../../../harness/fleet.ts";
import type { RawClient } from "../../../harness/raw-client.ts";
import { chat, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";

/** Both ends lie in this process: four thousand sockets, which any limit of open files worth serving with has room for. */
const IDLE = 2_000;
const REQUESTS = 60;

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
afterAll(() => pair.stop());

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

/** Median ms from connecting to the whole answer. */
async function medianMs(): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < REQUESTS; count++) {
    const start = performance.now();
    const [answer] = await pair.ask(chat());
    times.push(performance.now() - start);
    expect(answer?.status).toBe(200);
  }
  return percentile(ascending(times), 0.5) ?? Infinity;
}

test(`F55 ${IDLE} idle connections slow nobody down, and nothing is left of them`, async () => {
  await medianMs();
  const before = sockets();
  const alone = await medianMs();
  const idle: RawClient[] = [];
  for (let count = 0; count < IDLE; count += 50) {
    const some = await Promise.all(Array.from({ length: 50 }, () => pair.client()));
    idle.push(...some);
  }
  await until(() => sockets() >= 2 * IDLE, "all are accepted");
  expect(await medianMs()).toBeLessThan(5 * Math.max(alone, 1));
  for (const one of idle) one.destroy();
  await until(() => sockets() <= before, "all are gone");
});
