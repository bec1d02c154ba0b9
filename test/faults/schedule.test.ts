import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedEngine } from "../../engines/sim/server.ts";
import { until } from "../harness/fleet.ts";
import { learnTruth, runSeed, startEngines, type Truth } from "./schedule.ts";

const SEEDS = 20;
/** Two thousand in all. */
const REQUESTS_PER_SEED = 100;

describe("with faults at random on three of four replicas", () => {
  let engines: readonly SimulatedEngine[];
  let truth: Truth;
  let before: readonly string[];
  beforeAll(async () => {
    engines = await startEngines();
    truth = await learnTruth(engines[0]!);
    await until(() => !resources().includes("TCPSocketWrap"), "the first questions are over");
    before = resources();
  });
  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.close()));
  });

  test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
    "K03 every request of seed %i is one true record, whole or honestly broken",
    async (seed) => {
      const options = { requests: REQUESTS_PER_SEED, overMs: 700 };
      expect(await runSeed(seed, engines, truth, options)).toEqual([]);
    },
  );

  test("a proxy that gave up after one try would be noticed", async () => {
    const options = { requests: REQUESTS_PER_SEED, overMs: 700, attemptsMax: 1 };
    const broken = await runSeed(7, engines, truth, options);
    expect(broken.join("\n")).toContain("failed although more could be done");
  });

  test("K02 no timer, socket or listener is left when all proxies have stopped", async () => {
    await until(() => resources().length <= before.length, "handles are back where they were");
    expect(resources()).toEqual(before);
  });
});

/** Open handles by kind, without those of a test run itself. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /^(TCP|Pipe|Timeout|Immediate|FSReq|GetAddrInfo)/.test(kind))
    .filter((kind) => !/Pipe/.test(kind))
    .toSorted();
}
