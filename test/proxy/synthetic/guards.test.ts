import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningProxy, startProxy } from "../../../proxy/serve.ts";
import { guardFired } from "../../../proxy/synthetic/guard-watch.ts";
import type { GuardReading, SweepRequest, SweepView } from "../../../proxy/synthetic/sweep-view.ts";
import { type CrowdedEngine, startCrowdedEngine } from "../../harness/crowded-engine.ts";
import { chatBody, JSON_HEADERS, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { ENDLESS } from "../../harness/tiny-preset.ts";

const STOPPED_WITHIN_MS = 1_000 + 500;
/** So wide that none fires; each test narrows its own. */
const WIDE = { ttftP95Ms: 600_000, burnRate: 1_000, inFlight: 1_000 };
const calm: GuardReading = {
  atMs: 0,
  ttftP95Ms: 100,
  n: 50,
  over: 0,
  windowMs: 10_000,
  burnRate: 1,
  inFlight: 4,
  synthetic: 2,
  syntheticMax: 8,
};

describe("a guard", () => {
  const guards = { ttftP95Ms: 100, burnRate: 6, inFlight: 4 };

  test.each<[string, Partial<GuardReading>]>([
    ["everything at its limit", { burnRate: 6, inFlight: 4, ttftP95Ms: 100 }],
    ["nothing known", { ttftP95Ms: null, burnRate: null, inFlight: 0, n: 0 }],
    ["two slow requests, which may be their own fault", { ttftP95Ms: 900, over: 2 }],
  ])("holds with %s", (_name, reading) => {
    expect(guardFired({ ...calm, ...reading }, guards)).toBeNull();
  });

  test.each<[Partial<GuardReading>, string]>([
    [
      { ttftP95Ms: 101, over: 3 },
      "real TTFT p95 is 101 ms over the last 10 s (n 50), the limit is 100 ms",
    ],
    [
      { ttftP95Ms: Infinity, over: 3 },
      "real requests fail over the last 10 s (n 50), the limit is 100 ms",
    ],
    [{ burnRate: 6.1 }, "a promise burns its budget 6.1 ×, the limit is 6 ×"],
    [{ inFlight: 5 }, "5 real requests are under way on the replica, the limit is 4"],
  ])("fires with %j and says both numbers", (reading, sentence) => {
    expect(guardFired({ ...calm, ...reading }, guards)).toBe(sentence);
  });
});

describe("beside users", () => {
  let engine: CrowdedEngine;
  let proxy: RunningProxy;
  let sweeps: SweepClient;

  beforeAll(async () => {
    engine = await startCrowdedEngine({ few: 1_000, quickMs: 40, slowMs: 40 });
    proxy = await startProxy({
      replicas: [`crowded=${engine.url}`],
      listen: { host: "127.0.0.1", port: 0 },
      admin: { host: "127.0.0.1", port: 0 },
      sweepPresets: { endless: ENDLESS },
      // A promise nobody can keep: every request spends budget, ten times as fast as its period allows.
      telemetry: {
        slos: [
          {
            name: "instant",
            objective: 0.9,
            targets: [{ metric: "ttft", belowMs: 1 }],
            windowMs: 86_400_000,
          },
        ],
      },
    });
    sweeps = new SweepClient(proxy.adminUrl);
  });

  afterAll(async () => {
    await proxy.stop();
    await engine.close();
  });

  const wish = (guards: object): SweepRequest => ({
    replica: "crowded",
    preset: "endless",
    shapes: ["32x4"],
    traffic: "beside",
    guards: { ...WIDE, ...guards },
    confirm: true,
    force: true,
  });

  /** The end of a sweep that runs beside so many users at a time. */
  async function endBeside(users: number, guards: object): Promise<SweepView> {
    const id = await sweeps.start(wish(guards));
    await sweeps.running(id);
    const use = async (): Promise<void> => {
      while (proxy.sweeps.running().length > 0) {
        const answer = await fetch(`${proxy.dataUrl}/v1/chat/completions`, {
          method: "POST",
          headers: JSON_HEADERS,
          body: chatBody({ tokens: 4 }),
        });
        await answer.text();
      }
    };
    await Promise.all(Array.from({ length: users }, use));
    return sweeps.get(id);
  }

  test.each([
    ["a promise that burns faster", 2, { burnRate: 6 }, /^a promise burns its budget 10\.0 ×/],
    ["more of them at once", 6, { inFlight: 2 }, /^[3-6] real requests are under way/],
  ])("%s than the guard allows ends the sweep", async (_name, users, guards, sentence) => {
    const view = await endBeside(users, guards);
    expect(view.state).toBe("stopped");
    const [, why = ""] = /^stopped by guard: (.*)$/.exec(view.because) ?? [];
    expect(why).toMatch(sentence);
    expect(view.endedMs! - view.guard!.atMs).toBeLessThan(STOPPED_WITHIN_MS);
    await until(() => engine.inFlight === 0, "no request is left at the engine", 2_000);
  });

  test("no sweep begins while a promise burns faster than its guard allows", async () => {
    const answer = await sweeps.post(wish({ burnRate: 6 }));
    expect(answer.status).toBe(409);
    expect(JSON.stringify(answer.body)).toContain("users come first: a promise burns its budget");
  });
});
