import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newRunId } from "../../../load/results/run-manifest.ts";
import { type EmbeddedDocument, EmbeddedFile } from "../../../proxy/synthetic/embedded-document.ts";
import { keptSweeps } from "../../../proxy/synthetic/kept-sweeps.ts";
import { SweepBook } from "../../../proxy/synthetic/sweep-book.ts";
import type { SweepList, SweepView } from "../../../proxy/synthetic/sweep-view.ts";
import { type EngineProcess, startEngineProcess } from "../../harness/engine-process.ts";
import { startFleet, until } from "../../harness/fleet.ts";
import { keepRun } from "../../harness/kept-run.ts";
import { startProxyProcess } from "../../harness/proxy-process.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { PLAN } from "../../harness/sweep-events.ts";
import { TINY } from "../../harness/tiny-preset.ts";
import { point, wholeRun } from "../../load/results/fixture.ts";

let data: string;
let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess({ speed: 20 });
});
afterAll(() => engine.kill());
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "pitot-kept-"));
  return () => {
    rmSync(data, { recursive: true, force: true });
  };
});

const listOf = async (adminUrl: string): Promise<SweepList> =>
  (await (await fetch(`${adminUrl}/api/v1/sweeps`)).json()) as SweepList;

describe("after a restart", () => {
  test("a sweep that had ended is listed and shown as it was", async () => {
    const first = await startFleet(["vllm", "vllm"], {
      engine: { speed: 20, jitter: 0 },
      proxy: { sweepPresets: { tiny: TINY }, telemetry: { dataDir: data } },
    });
    const client = new SweepClient(first.proxy.adminUrl);
    const shapes = ["64x8"];
    const before = await client.over(
      await client.start({ replica: "vllm-0", preset: "tiny", shapes }),
    );
    await first.stop();

    const second = await startFleet([], { proxy: { telemetry: { dataDir: data } } });
    try {
      const { adminUrl } = second.proxy;
      const after = await new SweepClient(adminUrl).get(before.id);
      expect(after).toMatchObject(before);
      const [row] = (await listOf(adminUrl)).sweeps;
      expect(row).toMatchObject({ id: before.id, state: "done", headline: before.headline });
      // Stopping what is over changes nothing.
      expect(await new SweepClient(adminUrl).delete(before.id)).toBe(200);
    } finally {
      await second.stop();
    }
  });

  test("L10 one that was under way when its proxy was killed is interrupted, with every finished point", async () => {
    const first = await startProxyProcess([`a=${engine.url}`], data);
    const client = new SweepClient(first.adminUrl);
    const id = await client.start({ replica: "a", preset: "quick", shapes: ["64x8"] });
    await until(async () => (await client.get(id)).points > 0, "a point is finished", 20_000);
    await until(() => documentOf(id)?.points.length === 1, "it is written down");
    await first.kill();
    expect(documentOf(id)).toMatchObject({ state: "running", endedMs: null });

    const second = await startProxyProcess([`a=${engine.url}`], data);
    try {
      const view = await new SweepClient(second.adminUrl).get(id);
      expect(view).toMatchObject({
        state: "interrupted",
        because: "interrupted: the proxy was gone before it ended",
        replica: "a",
        preset: "quick",
        points: 1,
        progress: null,
      });
      expect(view.endedMs).toBeGreaterThan(view.startedMs);
      expect(view.finished[0]!.point.stage).toBe("warm-up");
      expect(view.summary).toMatchObject({ runId: id, interrupted: true, valid: false });
      expect((await listOf(second.adminUrl)).sweeps.map((row) => row.id)).toEqual([id]);
      const manifest = JSON.parse(readFileSync(join(data, "runs", id, "run.json"), "utf8"));
      expect(manifest).toMatchObject({ state: "interrupted" });
      // Its replica is one like any other for the new proxy.
      const replicas = await (await fetch(`${second.adminUrl}/api/v1/replicas`)).json();
      expect(JSON.stringify(replicas)).not.toContain("draining");
    } finally {
      await second.kill();
    }
  });
});

function documentOf(id: string): EmbeddedDocument | null {
  try {
    const text = readFileSync(join(data, "runs", id, "embedded.json"), "utf8");
    return JSON.parse(text) as EmbeddedDocument;
  } catch {
    return null;
  }
}

describe("sweeps of earlier lives", () => {
  /** Lays out the run of a sweep that ended so many minutes after the first; gives its id. */
  async function kept(minute: number, more: object = {}): Promise<string> {
    const id = newRunId(new Date(1_700_000_000_000 + minute * 60_000), 0.5);
    const summary = { ...wholeRun(), runId: id };
    const directory = keepRun(data, { summary, points: [point("p")] });
    const request = { replica: "vllm-0" };
    const book = new SweepBook(
      id,
      {
        request,
        model: "m",
        plan: PLAN,
        path: "both",
        traffic: "drained",
        limits: { share: 1, tokens: 1, minutes: 1 },
        guards: null,
        inFlightMax: 1,
      },
      1_700_000_000_000,
    );
    const view: SweepView = { ...book.view(), directory, state: "done", endedMs: 1, ...more };
    await new EmbeddedFile(() => {}).keep(view);
    return id;
  }

  test("are the newest, newest first, and no more than asked for", async () => {
    const ids: string[] = [];
    for (let minute = 0; minute < 5; minute++) ids.push(await kept(minute));
    expect([...keptSweeps(data, 3).keys()]).toEqual(ids.toReversed().slice(0, 3));
  });

  test("are neither runs of the command line, nor folders of anything else, nor spoiled ones", async () => {
    const good = await kept(1);
    keepRun(data, { summary: { ...wholeRun(), runId: "20261124T165501-3f2a" } });
    mkdirSync(join(data, "runs", "notes"));
    writeFileSync(join(data, "runs", await kept(2), "embedded.json"), '{"schemaVersion":1,"id"');
    writeFileSync(join(data, "runs", await kept(3), "embedded.json"), "null");
    rmSync(join(data, "runs", await kept(4, { endedMs: null }), "run.json"));
    expect([...keptSweeps(data, 10).keys()]).toEqual([good]);
  });

  test("leave alone one that another process still writes", async () => {
    const id = await kept(1, { state: "running", endedMs: null });
    const lock = join(data, "runs", id, "lock");
    writeFileSync(lock, `${process.ppid}\n`);
    expect([...keptSweeps(data, 10).keys()]).toEqual([]);
    // In a container every life of a proxy has the same number.
    writeFileSync(lock, `${process.pid}\n`);
    expect(keptSweeps(data, 10).get(id)?.row().state).toBe("interrupted");
  });

  test("are none without a data directory, or in one that holds no runs", () => {
    expect(keptSweeps(null, 10).size).toBe(0);
    expect(keptSweeps(join(data, "nowhere"), 10).size).toBe(0);
  });
});
