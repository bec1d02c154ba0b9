import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { Point } from "../../../load/results/point.ts";
import { RunFolder } from "../../../load/results/run-folder.ts";
import { RunLockedError } from "../../../load/results/run-lock.ts";
import type { RunManifest } from "../../../load/results/run-manifest.ts";
import { readRows, readRun, RunReadError } from "../../../load/results/run-reader.ts";
import { type Preset, presets } from "../../../load/sweep/presets.ts";
import { ScriptedEngine } from "../../harness/scripted-engine.ts";
import { planOf, sweepVirtually, type VirtualSweep } from "../../harness/virtual-sweep.ts";

const PRESET: Preset = {
  ...presets.standard,
  minimum: { requests: 11, windowMsMin: 1_000, windowMsMax: 2_000 },
  ladder: { ...presets.standard.ladder, windowMsMin: 2_000, windowMsMax: 4_000 },
  envelope: [0.3, 0.6],
  window: { windowMsMin: 4_000, windowMsMax: 8_000, requests: 64 },
  refine: { probes: 1, extend: 2, ratio: 1.25 },
};
const SWEEP: VirtualSweep = { preset: PRESET, objectives: ["ttft_p50<=50ms"] };

function manifest(): RunManifest {
  return {
    runId: "20261124T000000-0001",
    schemaVersion: 1,
    toolVersion: "0",
    state: "running",
    startedAt: "2026-11-24T00:00:00.000Z",
    endedAt: null,
    plan: planOf(SWEEP),
    subject: {
      target: "s",
      engine: "openai",
      engineVersion: null,
      model: "m",
      modelMaxTokens: null,
    },
    prompts: "none",
    environment: {
      runtime: "node",
      platform: "linux",
      cpu: "x",
      cores: 1,
      memoryBytes: 1,
      workers: 0,
      ceilingEventsPerSecond: null,
    },
    estimateMs: 0,
    resumed: [],
  };
}

const root = (): string => mkdtempSync(join(tmpdir(), "pitot-run-"));
const AT = "2026-11-24T00:10:00.000Z";

/** Sweeps into a folder until so many points are finished, then stops dead: nothing is closed, nothing is said. */
async function killedAfter(count: number, directory: string): Promise<RunFolder> {
  const folder = RunFolder.create(directory, manifest());
  const clock = new VirtualClock();
  const died = new Error("killed");
  await sweepVirtually(clock, new ScriptedEngine({ clock, serviceMs: 10 }), {
    ...SWEEP,
    options: { onExchange: (exchange, lagMs) => folder.request(exchange, lagMs) },
    onEvent: (event) => {
      folder.event(event);
      if (event.kind !== "point-finished") return;
      folder.point(event.point);
      if (--count === 0) throw died;
    },
  }).catch((error: unknown) => {
    if (error !== died) throw error;
  });
  return folder;
}

function sweepOn(folder: RunFolder, finished: readonly Point[]): Promise<readonly string[]> {
  const clock = new VirtualClock();
  const ran: string[] = [];
  return sweepVirtually(clock, new ScriptedEngine({ clock, serviceMs: 10 }), {
    ...SWEEP,
    options: { finished },
    onEvent: (event) => {
      if (event.kind !== "point-finished") return;
      folder.point(event.point);
      ran.push(event.point.pointId);
    },
  }).then(() => ran);
}

/** What `kill -9` does to a lock: its owner is gone. No process has this number. */
function orphan(folder: RunFolder): void {
  writeFileSync(join(folder.directory, "lock"), "2147483646\n");
}

describe.each([1, 3, 5, 6])("L10, L11: a run killed after %d points", (count) => {
  test("has every finished point, goes on with the rest, and repeats and loses none", async () => {
    const folder = await killedAfter(count, root());
    orphan(folder);
    appendFileSync(join(folder.directory, "points.jsonl"), '{"pointId":"torn","sta');
    const { folder: again, stored } = RunFolder.resume(folder.directory, AT);
    expect(stored.points).toHaveLength(count);
    expect(stored.bad).toEqual([{ file: "points.jsonl", line: count + 1, why: "torn last line" }]);
    const ran = await sweepOn(again, stored.points);
    again.end("done", AT);
    const whole = readRun(folder.directory);
    const ids = whole.points.map(({ pointId }) => pointId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual([...stored.points.map(({ pointId }) => pointId), ...ran]);
    expect(whole.manifest).toMatchObject({ state: "done", resumed: [{ at: AT, points: count }] });
    // The same plan, seed and engine, never interrupted: the same points.
    const clock = new VirtualClock();
    const summary = await sweepVirtually(
      clock,
      new ScriptedEngine({ clock, serviceMs: 10 }),
      SWEEP,
    );
    const uninterrupted = summary.shapes[0]!.points.map(({ pointId }) => pointId);
    expect(ids.filter((id) => !id.includes("warm-up"))).toEqual(uninterrupted);
  });
});

test("L10: requests are on disk as soon as they ended, without any text", async () => {
  const folder = await killedAfter(2, root());
  const { rows, bad } = readRows(
    folder.directory,
    "requests.jsonl",
    (value): value is { point: string; ttftMs: number } =>
      typeof value === "object" && value !== null,
  );
  expect(bad).toEqual([]);
  expect(rows.length).toBeGreaterThan(100);
  expect(rows[0]!.point).toContain("warm-up");
  expect(Object.keys(rows[0]!)).not.toContain("prompt");
});

describe("L13: a second writer", () => {
  test("is refused while the first lives, with its number", () => {
    const folder = RunFolder.create(root(), manifest());
    writeFileSync(join(folder.directory, "lock"), `${process.ppid}\n`);
    expect(() => RunFolder.resume(folder.directory, AT)).toThrow(RunLockedError);
    expect(() => RunFolder.resume(folder.directory, AT)).toThrow(String(process.ppid));
  });

  test("in the same process is refused too", () => {
    const folder = RunFolder.create(root(), manifest());
    expect(() => RunFolder.resume(folder.directory, AT)).toThrow("already open");
    folder.end("done", AT);
    RunFolder.resume(folder.directory, AT).folder.end("done", AT);
  });

  test("takes over what a killed one left, a lock cut short among it", () => {
    const folder = RunFolder.create(root(), manifest());
    for (const left of ["2147483646\n", ""]) {
      writeFileSync(join(folder.directory, "lock"), left);
      RunFolder.resume(folder.directory, AT).folder.end("done", AT);
    }
    expect(readRun(folder.directory).manifest.resumed).toHaveLength(2);
  });
});

describe("L14: a run's files", () => {
  test("with garbage in them are read around it, by line number", () => {
    const folder = RunFolder.create(root(), manifest());
    folder.end("done", AT);
    const path = join(folder.directory, "points.jsonl");
    const row = JSON.stringify({ pointId: "a", stage: "ladder", windowMs: 1 });
    writeFileSync(
      path,
      Buffer.concat([Buffer.from([0, 255, 10]), Buffer.from(`${row}\n[1]\n${row}`)]),
    );
    const { points, bad } = readRun(folder.directory);
    expect(points).toHaveLength(2);
    expect(bad.map(({ line }) => line)).toEqual([1, 3]);
  });

  test("cut short get their next row on a line of its own", () => {
    const folder = RunFolder.create(root(), manifest());
    folder.end("done", AT);
    const path = join(folder.directory, "events.jsonl");
    writeFileSync(path, '{"kind":"no');
    const again = RunFolder.resume(folder.directory, AT).folder;
    again.event({ kind: "note", atMs: 0, level: "info", message: "x" });
    again.end("done", AT);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
  });

  test.each(["", "{}", '{"runId":"x","schemaVersion":2}', "\0"])(
    "are no run when run.json is %j, and that is said",
    (text) => {
      const directory = root();
      if (text !== "") writeFileSync(join(directory, "run.json"), text);
      expect(() => readRun(directory)).toThrow(RunReadError);
      expect(() => RunFolder.resume(directory, AT)).toThrow(RunReadError);
    },
  );
});
