import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SimulatedEngine, startSimulatedEngine } from "../../engines/sim/server.ts";
import type { JudgedSummary } from "../../load/results/judged-summary.ts";
import { resultPoints } from "../../load/results/report/column.ts";
import { reports } from "../../load/results/report/index.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { point, shape, latency, wholeRun } from "../load/results/fixture.ts";
import { keepRun, runsDirectory } from "../harness/kept-run.ts";
import { pitot } from "../harness/pitot.ts";
import { PLAN } from "../harness/sweep-events.ts";
import { ENDLESS } from "../harness/tiny-preset.ts";

const EVERY_FORMAT = Object.keys(reports).join(",");
const MODEL = "Llama-3.1-8B";
let engine: SimulatedEngine;

beforeAll(async () => {
  engine = await startSimulatedEngine({ persona: "vllm", model: MODEL, speed: 8 });
});

afterAll(() => engine.close());

/** A run that was begun against the engine and has nothing yet: going on with it is a sweep of a few seconds. */
function begun(out: string, plan: Partial<SweepPlan> = {}): string {
  const subject = { ...wholeRun().subject, target: engine.url, model: MODEL };
  return keepRun(out, {
    plan: { ...PLAN, ...plan },
    manifest: { runId: "begun", subject, state: "interrupted" },
  });
}

const QUIETLY = ["--no-self-test", "--workers", "1"];

describe("pitot sweep", () => {
  test.each([
    [["--fail-if", "ttft_p95 > 300"], "needs its unit"],
    [["--fail-if", "ttft_p42 > 1s"], 'no figure "ttft_p42"'],
    [["--fail-if", "ttft_p95 > +10%"], "name it with --baseline"],
    [["--fail-on-worse"], "name it with --baseline"],
    [["--formats", "json,docx"], '"docx" is no report: choose from json, jsonl, csv'],
    [["--formats", ""], "is no report"],
    [["--baseline", "/nowhere"], "there is no such file or folder"],
    [["--baseline", join(import.meta.dirname, "../../package.json")], "no document of a sweep"],
  ])("%j ends with 2 before anything is asked of the engine", async (args, sentence) => {
    const ran = await pitot(["sweep", "http://127.0.0.1:9", ...args]);
    expect(ran.stderr).toContain(sentence);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
  });

  test("prints one document with its verdicts, keeps it, writes every report and the job's page", async () => {
    const out = runsDirectory();
    const directory = begun(out);
    keepRun(out, { summary: wholeRun({ runId: "before" }) });
    const page = join(out, "page.md");
    writeFileSync(page, "# earlier\n");
    const judging = ["--fail-if", "ttft_p50 > 0.001ms", "--fail-if", "failed > 50%"];
    const writing = ["--formats", EVERY_FORMAT, "--baseline", "before", "--json"];
    const ran = await pitot(
      ["sweep", "--resume", "begun", "--out", out, ...QUIETLY, ...writing, ...judging],
      { GITHUB_STEP_SUMMARY: page },
    );
    const document = JSON.parse(ran.stdout) as JudgedSummary;
    expect(JSON.parse(readFileSync(join(directory, "summary.json"), "utf8"))).toEqual(document);
    expect(document.thresholds.map(({ verdict }) => verdict)).toEqual(["breached", "held"]);
    expect(document.comparison).toMatchObject({ beforeRunId: "before", afterRunId: "begun" });
    // A busy machine may well be the limit: then the run says so, and that comes first.
    expect(ran.status).toBe(document.valid ? 99 : 4);
    expect(ran.stderr).toContain("breached   fails if ttft_p50 > 0.001ms: 1024x128");
    expect(ran.stderr).toContain("against before: ");
    const points = resultPoints(document);
    expect(points.map(({ stage }) => stage)).toEqual(["minimum", "ladder"]);
    const bytes = readFileSync(join(directory, "points.parquet"));
    const file = new Uint8Array(bytes).buffer;
    const rows = await parquetReadObjects({ file });
    expect(rows.map((row) => row["ttft_p50_ms"])).toEqual(points.map(({ ttftMs }) => ttftMs.p50));
    expect(readFileSync(join(directory, "points.csv"), "utf8").split("\r\n")).toHaveLength(4);
    expect(readFileSync(page, "utf8")).toBe(
      `# earlier\n${readFileSync(join(directory, "report.md"), "utf8")}\n`,
    );
    for (const { file: name } of Object.values(reports))
      expect(ran.stderr).toContain(`wrote ${join(directory, name)}`);
  }, 60_000);

  test("that is interrupted ends with 130 and has its document and its reports", async () => {
    const out = runsDirectory();
    const directory = begun(out, { preset: ENDLESS });
    const program = join(import.meta.dirname, "../../bin/pitot.mjs");
    const writing = ["--jsonl", "--formats", "junit,md", "--fail-if", "failed > 50%"];
    const child = spawn(
      process.execPath,
      [program, "sweep", "--resume", directory, ...QUIETLY, ...writing],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const before = text.includes('"stage":"minimum"');
      text += chunk;
      if (!before && text.includes('"stage":"minimum"')) child.kill("SIGINT");
    });
    const [status] = (await once(child, "close")) as [number | null];
    expect(status).toBe(130);
    const kinds = text
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds.slice(-2)).toEqual(["ended", "threshold"]);
    expect(readFileSync(join(directory, "junit.xml"), "utf8")).toContain("interrupted");
    expect(existsSync(join(directory, "report.md"))).toBe(true);
    expect(existsSync(join(directory, "report.html"))).toBe(false);
  }, 60_000);
});

describe("pitot compare", () => {
  const slower = wholeRun({
    runId: "slower",
    subject: { ...wholeRun().subject, engineVersion: "0.26.0" },
    shapes: [shape([point("c8", { ttftMs: latency(60) })])],
  });

  test("of a run with itself finds nothing, and ends with 0 even when asked to fail", async () => {
    const run = keepRun(runsDirectory(), { summary: wholeRun() });
    const ran = await pitot(["compare", run, join(run, "summary.json"), "--fail-on-worse"]);
    expect(ran.stdout).toContain("No difference in ");
    expect(ran).toMatchObject({ status: 0, stderr: "" });
  });

  test("says what is worse, what is not the same, and fails only when asked", async () => {
    const out = runsDirectory();
    const [before] = [keepRun(out, { summary: wholeRun() }), keepRun(out, { summary: slower })];
    const ran = await pitot(["compare", before, "slower", "--data", out]);
    expect(ran.stdout.split("\n").slice(1, 3)).toEqual([
      "1024x128  8 at once  TTFT p50 40.0 ms → 60.0 ms (+50.0 %), worse",
      "1024x128  8 at once  TTFT p95 80.0 ms → 120 ms (+50.0 %), worse",
    ]);
    expect(ran.stderr).toBe("not the same: engine version: 0.25.1 before, 0.26.0 now\n");
    expect(ran.status).toBe(0);
    const strictly = ["compare", before, "slower", "--data", out, "--json", "--fail-on-worse"];
    const strict = await pitot(strictly);
    expect(strict).toMatchObject({ status: 99, stderr: "" });
    expect(JSON.parse(strict.stdout)).toMatchObject({ worse: 2, afterRunId: "slower" });
  });

  test.each([
    [["/nowhere", "/nowhere"], "/nowhere holds no run"],
    [[import.meta.dirname, import.meta.dirname], "there is no readable run.json"],
    [["/nowhere"], "missing required argument"],
  ])("%j ends with 2", async (args, sentence) => {
    const ran = await pitot(["compare", ...args]);
    expect(ran.stderr).toContain(sentence);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("pitot report", () => {
  test.each([
    ["ttft_p50 > 300ms", 0, "held"],
    ["ttft_p50 > 31ms", 0, "undecided"],
    ["ttft_p50 > 20ms", 99, "breached"],
    ["ttft_p50 > soon", 2, "is not a condition"],
  ])("judges a kept run by %s: %d, %s", async (condition, status, words) => {
    const run = keepRun(runsDirectory(), { summary: wholeRun() });
    const ran = await pitot(["report", run, "--formats", "junit", "--fail-if", condition]);
    expect(ran.status).toBe(status);
    expect(ran.stderr).toContain(words);
    expect(existsSync(join(run, "junit.xml"))).toBe(status !== 2);
  });

  test("writes to another folder, with the command that gives the run again", async () => {
    const [out, to] = [runsDirectory(), runsDirectory()];
    keepRun(out, { summary: wholeRun() });
    const args = ["report", wholeRun().runId, "--data", out, "--to", to, "--formats", "md,csv"];
    const ran = await pitot(args);
    expect(ran.stdout).toBe(`${join(to, "report.md")}\n${join(to, "points.csv")}\n`);
    expect(ran.status).toBe(0);
    expect(readdirSync(to)).toEqual(["points.csv", "report.md"]);
    expect(readFileSync(join(to, "report.md"), "utf8")).toContain(
      "pitot sweep http://127.0.0.1:8000 --model meta-llama/Llama-3.1-8B-Instruct --preset tiny --shape 1024x128 --objective 'ttft_p95<=1s' --seed 7",
    );
  });

  test("of a run killed in the middle tells of its finished points, and proves nothing", async () => {
    const run = keepRun(runsDirectory(), {
      points: [point("c1", { stage: "minimum", concurrency: 1 }), point("c8")],
      torn: '{"pointId":"c64","sha',
    });
    const args = ["report", run, "--formats", "json", "--fail-if", "ttft_p50 > 1ms"];
    expect((await pitot(args)).status).toBe(4);
    const document = JSON.parse(readFileSync(join(run, "report.json"), "utf8")) as JudgedSummary;
    expect(document).toMatchObject({ interrupted: true, valid: false });
    expect(document.shapes[0]?.points.map(({ pointId }) => pointId)).toEqual(["c1", "c8"]);
  });

  test.each([
    [["/nowhere"], "/nowhere holds no run"],
    [[import.meta.dirname], "there is no readable run.json"],
  ])("%j ends with 2", async (args, sentence) => {
    const ran = await pitot(["report", ...args]);
    expect(ran.stderr).toContain(sentence);
    expect(ran).toMatchObject({ status: 2, stdout: "" });
  });

  test("ends with 2 for a folder that is not there and a document of another version", async () => {
    const run = keepRun(runsDirectory(), { summary: wholeRun() });
    const nowhere = await pitot(["report", run, "--to", join(run, "nowhere")]);
    expect(nowhere.stderr).toContain("make it first");
    expect(nowhere.status).toBe(2);
    writeFileSync(join(run, "summary.json"), JSON.stringify({ ...wholeRun(), schemaVersion: 2 }));
    const newer = await pitot(["report", run]);
    expect(newer.stderr).toContain("schema version 2");
    expect(newer.status).toBe(2);
  });
});
