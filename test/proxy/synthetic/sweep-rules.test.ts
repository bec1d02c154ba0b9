import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SweepRequest } from "../../../proxy/synthetic/sweep-view.ts";
import { startFleet, type TestFleet, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { ENDLESS } from "../../harness/tiny-preset.ts";

const RULES = {
  shapes: ["32x4", "64x8"],
  objectives: ["tpot_p95<=25ms"],
  path: "direct",
  traffic: "beside",
  limits: { share: 0.1, tokens: 1_000_000, minutes: 5 },
  guards: { ttftP95Ms: 400, burnRate: 2, inFlight: 8 },
} as const;

let data: string;
let fleet: TestFleet;
let sweeps: SweepClient;

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "pitot-rules-"));
  fleet = await startFleet(["vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: {
      sweepPresets: { endless: ENDLESS },
      sweepRules: RULES,
      telemetry: { dataDir: data },
    },
  });
  sweeps = new SweepClient(fleet.proxy.adminUrl);
});

afterAll(async () => {
  await fleet.stop();
  rmSync(data, { recursive: true, force: true });
});

const asked: SweepRequest = { replica: "vllm-0", preset: "endless" };

describe("under the rules of its proxy", () => {
  test("a sweep that says nothing has their defaults, limits and guards", async () => {
    const id = await sweeps.start(asked);
    const view = await sweeps.get(id);
    expect(view).toMatchObject({
      shapes: ["32x4", "64x8"],
      path: "direct",
      traffic: "beside",
      limits: RULES.limits,
      guards: RULES.guards,
    });
    expect(view.plan!.objectives.map(({ text }) => text)).toEqual(RULES.objectives);
    // What is shown asks for the same again, wherever it is typed.
    expect(view.command).toContain("--shape 32x4 --shape 64x8");
    await sweeps.delete(id);
    await sweeps.over(id);
  });

  test("one that asks for less has less", async () => {
    const id = await sweeps.start({
      ...asked,
      shapes: ["16x4"],
      traffic: "drained",
      limits: { minutes: 1 },
      force: true,
    });
    expect(await sweeps.get(id)).toMatchObject({
      shapes: ["16x4"],
      // Alone on its replica there is nobody to share with.
      limits: { share: 1, minutes: 1, tokens: 1_000_000 },
      guards: null,
    });
    await sweeps.delete(id);
    await sweeps.over(id);
  });

  test("a fit sent along is what my-traffic stands for", async () => {
    const fit = {
      parts: [
        { inputTokens: 32, outputTokens: 8, weight: 0.75 },
        { inputTokens: 96, outputTokens: 4, weight: 0.25 },
      ],
      cachedShare: 0.25,
      arrivalCv: 3,
    };
    const id = await sweeps.start({ ...asked, shapes: ["my-traffic"], fit, leaseSeconds: 600 });
    const { plan, command } = await sweeps.get(id);
    // No flag holds a fit: what gives it again is the request.
    const [, body] = /^curl -X POST http\S+\/api\/v1\/sweeps -H '[^']+' -d '(.+)'$/.exec(command)!;
    const again = JSON.parse(body!) as SweepRequest;
    expect(again).toMatchObject({ ...asked, shapes: ["my-traffic"], fit });
    expect(again).not.toHaveProperty("leaseSeconds");
    expect(plan).toMatchObject({
      arrivals: "gamma",
      cv: 3,
      workloads: [{ name: "my-traffic", prefixShare: 0.25, parts: [{ weight: 0.75 }, {}] }],
    });
    await sweeps.delete(id);
    await sweeps.over(id);
    const bad = await sweeps.post({ ...asked, fit: { ...fit, parts: [] } });
    expect([bad.status, JSON.stringify(bad.body)]).toEqual([
      400,
      expect.stringContaining("fit.parts is empty"),
    ]);
  });

  test.each([
    [{ limits: { minutes: 6 } }, "limits.minutes: 6 is more than sweeps may have here"],
    [{ limits: { tokens: 2_000_000 } }, "sweeps.limits.tokens of the configuration says 1000000"],
    [{ limits: { share: 0.5 } }, "sweeps.limits.share of the configuration says 0.1"],
    [{ guards: { ttftP95Ms: 401 } }, "sweeps.guards.ttftP95Ms of the configuration says 400"],
    [{ guards: { burnRate: 6 } }, "sweeps.guards.burnRate of the configuration says 2"],
    [{ guards: { inFlight: 9 } }, "sweeps.guards.inFlight of the configuration says 8"],
  ])("one that asks for more is refused: %j", async (more, sentence) => {
    const answer = await sweeps.post({ ...asked, ...more });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toContain(sentence);
  });

  test("other rules hold for the next sweep, and old runs go when fewer are kept", async () => {
    const briefly = async (body: SweepRequest): Promise<string> => {
      const id = await sweeps.start(body);
      await sweeps.running(id);
      await sweeps.delete(id);
      await sweeps.over(id);
      return id;
    };
    const runs = (): readonly string[] => readdirSync(join(data, "runs"));
    const [first, second] = [await briefly(asked), await briefly(asked)];
    expect(runs()).toEqual(expect.arrayContaining([first, second]));
    fleet.proxy.sweeps.use({ limits: {}, guards: {}, runsMax: 1 });
    expect(runs()).toEqual([[first, second].toSorted().at(-1)]);
    const third = await briefly({ ...asked, limits: { minutes: 6 } });
    expect(await sweeps.get(third)).toMatchObject({
      shapes: ["1024x128"],
      limits: { minutes: 6 },
    });
    await until(() => runs().length === 1, "the run before it is gone");
  });
});
