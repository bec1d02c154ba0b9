import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import { ttftMs } from "../../../engines/exchange.ts";
import { type RunningProxy, startProxy } from "../../../proxy/serve.ts";
import { type CrowdedEngine, startCrowdedEngine } from "../../harness/crowded-engine.ts";
import { chatBody, JSON_HEADERS, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { TINY } from "../../harness/tiny-preset.ts";

const GUARD_MS = 250;
const STOPPED_WITHIN_MS = 1_000 + 500;
/** Alone first, then a crowd for as long as nobody minds. */
const PRESSING = {
  ...TINY,
  name: "pressing",
  ladder: {
    ...TINY.ladder,
    concurrencyMax: 1,
    flood: 16,
    windowMsMin: 600_000,
    windowMsMax: 600_000,
  },
};

let engines: readonly CrowdedEngine[];
let proxy: RunningProxy;
let sweeps: SweepClient;
const users = new AbortController();

/** One user after the other, ten a second. */
async function useIt(): Promise<void> {
  while (!users.signal.aborted) {
    const answer = await fetch(`${proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      // A client that claims to be a sweep, without the token only this process knows.
      headers: { ...JSON_HEADERS, "x-pitot-synthetic": "guessed crowded" },
      body: chatBody({ tokens: 4 }),
    });
    await answer.text();
    await systemClock.after(100, users.signal);
  }
}

beforeAll(async () => {
  engines = [await startCrowdedEngine({ few: 2, quickMs: 10, slowMs: 500 })];
  proxy = await startProxy({
    replicas: [`crowded=${engines[0]!.url}`],
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    sweepPresets: { pressing: PRESSING },
  });
  sweeps = new SweepClient(proxy.adminUrl);
});

afterAll(async () => {
  users.abort();
  await proxy.stop();
  for (const engine of engines) await engine.close();
});

test("when users' TTFT p95 leaves its guard, synthetic sockets are closed and users are well again", async () => {
  const using = useIt();
  await until(() => proxy.telemetry.ring.total >= 5, "users are there");
  const id = await sweeps.start({
    replica: "crowded",
    preset: "pressing",
    shapes: ["32x4"],
    traffic: "beside",
    guards: { ttftP95Ms: GUARD_MS },
    confirm: true,
    force: true,
  });
  const view = await sweeps.over(id);
  expect(view.state).toBe("stopped");
  expect(view.because).toMatch(/^stopped by guard: real TTFT p95 is \d+ ms/);
  expect(view.guard!.ttftP95Ms!).toBeGreaterThan(GUARD_MS);
  expect(view.endedMs! - view.guard!.atMs).toBeLessThan(STOPPED_WITHIN_MS);
  await until(() => engines[0]!.inFlight <= 1, "no synthetic request is left at the engine", 2_000);

  const calmMs = systemClock.nowMs();
  const later = (): readonly number[] =>
    [...proxy.telemetry.ring.newest()]
      .filter(({ origin, times }) => origin === "real" && times.startedMs > calmMs)
      .map((exchange) => ttftMs(exchange) ?? Infinity);
  await until(() => later().length >= 10, "users go on");
  const slow = later().filter((ms) => ms > GUARD_MS).length;
  expect(slow / later().length).toBeLessThanOrEqual(0.05);

  // What was finished before is kept, each point with the users it was measured beside.
  const minimum = view.finished.find(({ point }) => point.stage === "minimum")!;
  expect(minimum.coTraffic.requestsPerSecond).toBeGreaterThan(0);
  expect(minimum.coTraffic.ttftP95Ms).not.toBeNull();
  users.abort();
  await using;
});

test("a client that claims to be a sweep counts as a user, and no engine ever sees the mark", () => {
  const origins = [...proxy.telemetry.ring.newest()].map(({ origin }) => origin);
  expect(new Set(origins)).toEqual(new Set(["real", "synthetic"]));
  const names = engines[0]!.headers.flatMap((headers) => Object.keys(headers));
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => name.startsWith("x-pitot"))).toEqual([]);
});

test("users on a replica that already wait too long are not made to wait longer", async () => {
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const answer = await fetch(`${proxy.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers: JSON_HEADERS,
        body: chatBody({ tokens: 4 }),
      });
      await answer.text();
    }),
  );
  const answer = await sweeps.post({
    replica: "crowded",
    preset: "pressing",
    traffic: "beside",
    guards: { ttftP95Ms: GUARD_MS },
    confirm: true,
    force: true,
  });
  expect(answer.status).toBe(409);
  expect(JSON.stringify(answer.body)).toContain("users come first");
});
