import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SimulatedEngine, startSimulatedEngine } from "../../engines/sim/server.ts";
import type { Point } from "../../load/results/point.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import { readRun } from "../../load/results/run-reader.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { until } from "../harness/fleet.ts";

const ROOT = join(import.meta.dirname, "../..");
const MODEL = "Llama-3.1-8B";
let engine: SimulatedEngine;

beforeAll(async () => {
  // Eight times as fast as the hardware: the sweep's own times stay what they are, answers are short.
  engine = await startSimulatedEngine({ persona: "vllm", model: MODEL, speed: 8 });
});

afterAll(() => engine.close());

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Ran> } {
  const child = spawn(process.execPath, [join(ROOT, "proxy/cli.ts"), "sweep", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, "close").then(([status]) => ({
    status: status as number | null,
    out,
    err,
  }));
  return { child, ended };
}

const directory = (): string => mkdtempSync(join(tmpdir(), "pitot-sweep-"));
const FEW = [
  "--shape",
  "64x8",
  "--rate",
  "20",
  "--preset",
  "smoke",
  "--no-self-test",
  "--workers",
  "1",
];

/** Resolves with the first event of a running sweep that `wanted` accepts. */
function eventOf(child: ChildProcess, wanted: (event: SweepEvent) => boolean): Promise<SweepEvent> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      const found = lines.map((line) => JSON.parse(line) as SweepEvent).find(wanted);
      if (found !== undefined) resolve(found);
    });
  });
}

const finished = (event: SweepEvent): boolean =>
  event.kind === "point-finished" && event.point.stage === "minimum";

describe("pitot sweep", () => {
  test.each([
    [["http://127.0.0.1:9", "--preset", "never"], 2, "quick"],
    [["http://127.0.0.1:9", "--shape", "1024"], 2, "1024x128"],
    [["http://127.0.0.1:9", "--objective", "ttft_p95<=300"], 2, "needs its unit"],
    [["http://127.0.0.1:9", "--mix", "1024x128"], 2, "70% 1024x128"],
    [["http://127.0.0.1:9", "--dataset", "/nowhere.jsonl"], 2, "no such file"],
    [["http://127.0.0.1:9", "--resume", "/nowhere"], 2, "holds no run"],
    [[], 2, "name what to measure"],
    [["http://127.0.0.1:9"], 3, "nothing answers"],
  ])("%j ends with %d and says what to do", async (args, status, sentence) => {
    const ran = await start(args).ended;
    expect(ran.err).toContain(sentence);
    expect(ran).toMatchObject({ status, out: "" });
  });

  test("that is interrupted keeps its points, ends with 130 and leaves nothing running in the engine", async () => {
    const out = directory();
    const { child, ended } = start([engine.url, ...FEW, "--out", out, "--jsonl"]);
    await eventOf(child, (event) => event.kind === "point-finished");
    child.kill("SIGINT");
    const ran = await ended;
    expect(ran.status).toBe(130);
    const { manifest, points } = readRun(onlyRun(out));
    expect(manifest.state).toBe("interrupted");
    expect(points.at(-1)?.stage).toBe("warm-up");
    await until(() => engine.stats().running + engine.stats().waiting === 0, "the engine is idle");
  }, 60_000);

  test("L11, L13: that is written by another process is refused; once that is killed it goes on, repeating and losing no point, prompts and answers as long as asked", async () => {
    const out = directory();
    const { child, ended } = start([engine.url, ...FEW, "--out", out, "--jsonl"]);
    const alone = eventOf(child, finished);
    await eventOf(child, (event) => event.kind === "planned");
    const resume = ["--resume", onlyRun(out), "--no-self-test", "--workers", "1", "--json"];
    const second = await start(resume).ended;
    expect(second).toMatchObject({ status: 2, out: "" });
    expect(second.err).toContain(`process ${child.pid}`);
    await alone;
    child.kill("SIGKILL");
    await ended;
    const before = readRun(onlyRun(out)).points;
    const ran = await start(resume).ended;
    expect(ran.err).toContain(`going on after ${before.length} finished points`);
    // A busy machine may well be the limit: then the run says so.
    expect([0, 4]).toContain(ran.status);
    const after: readonly Point[] = readRun(onlyRun(out)).points;
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.map(({ stage }) => stage)).toEqual(["warm-up", "minimum", "envelope"]);
    const summary = JSON.parse(ran.out) as SweepSummary;
    const open = summary.shapes[0]!.points.find((point) => point.mode === "open")!;
    expect(open).toMatchObject({ shape: "64x8", offeredRatePerSecond: 20, failed: 0 });
    expect(open.outputTokens).toMatchObject({ nominal: 8, min: 8, max: 8, onTarget: 1 });
    expect(open.inputTokens).toMatchObject({ nominal: 64, onTarget: 1 });
    expect(open.cachedInputShare ?? 0).toBeLessThan(0.01);
    expect(JSON.parse(readFileSync(join(onlyRun(out), "summary.json"), "utf8"))).toEqual(summary);
  }, 120_000);
});

/** The folder of the one run kept in a directory. */
function onlyRun(out: string): string {
  return join(out, "runs", readdirSync(join(out, "runs"))[0]!);
}
