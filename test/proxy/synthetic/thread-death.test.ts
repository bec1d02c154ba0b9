import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRun } from "../../../load/results/run-reader.ts";
import { startFleet, type TestFleet, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { ENDLESS } from "../../harness/tiny-preset.ts";

const endless = { replica: "vllm-0", preset: "endless", shapes: ["64x8"] };

let data: string;
let fleet: TestFleet;
let sweeps: SweepClient;

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "pitot-thread-death-"));
  fleet = await startFleet(["vllm", "vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: { sweepPresets: { endless: ENDLESS }, telemetry: { dataDir: data } },
  });
  sweeps = new SweepClient(fleet.proxy.adminUrl);
});

afterAll(async () => {
  await fleet.stop();
  rmSync(data, { recursive: true, force: true });
});

/** What can end a thread from outside its own will. */
const deaths: readonly [string, (thread: Worker) => unknown, RegExp][] = [
  ["is ended from outside", (thread) => thread.terminate(), /the thread that makes the load died/],
  // Not one of its messages: reading it throws where nothing catches.
  ["throws where nothing catches", (thread) => thread.postMessage(null), /^failed: .*null/],
];

test.each(deaths)(
  "a thread that %s fails its sweep in words, keeps its run and gives its replica back",
  async (_name, kill, because) => {
    const born = new Promise<Worker>((resolve) => process.once("worker", resolve));
    const id = await sweeps.start(endless);
    const thread = await born;
    await until(async () => (await sweeps.get(id)).points > 0, "a point is finished", 20_000);
    kill(thread);
    const view = await sweeps.over(id);
    expect(view.state).toBe("failed");
    expect(view.because).toMatch(because);
    expect(view.error).not.toBeNull();

    const directory = join(data, "runs", id);
    expect(readRun(directory).points.length).toBe(view.points);
    expect(readRun(directory).manifest.state).toBe("failed");
    const kept = JSON.parse(readFileSync(join(directory, "embedded.json"), "utf8")) as object;
    expect(kept).toMatchObject({ id, state: "failed", error: view.error });

    const { telemetry } = fleet.proxy;
    await until(() => telemetry.feed.inFlightCount === 0, "no record is left open");
    const isBack = (): boolean =>
      fleet.proxy.fleet.views().some((one) => one.id === "vllm-0" && one.state === "up");
    await until(isBack, "the replica is back");
  },
);

test("a sweep whose thread cannot work fails in words, and its replica is back", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pitot-blocked-"));
  writeFileSync(join(directory, "runs"), "not a folder");
  const own = await startFleet(["vllm", "vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: { sweepPresets: { endless: ENDLESS }, telemetry: { dataDir: directory } },
  });
  try {
    const client = new SweepClient(own.proxy.adminUrl);
    const view = await client.over(await client.start(endless));
    expect(view.state).toBe("failed");
    expect(view.because).toMatch(/^failed: .*runs/);
    const isBack = (): boolean => own.proxy.fleet.views().every(({ state }) => state === "up");
    await until(isBack, "the replica is back");
  } finally {
    await own.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
