import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Point } from "../../load/results/point.ts";
import type { RunManifest } from "../../load/results/run-manifest.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { wholeRun } from "../load/results/fixture.ts";
import { PLAN } from "./sweep-events.ts";

/** A folder of its own for the runs of one test. */
export function runsDirectory(): string {
  return mkdtempSync(join(tmpdir(), "pitot-runs-"));
}

/** Lays a run's folder out on disk as a sweep leaves it; without a summary, as `kill -9` leaves it. Gives the folder. */
export function keepRun(
  out: string,
  run: {
    readonly summary?: SweepSummary;
    readonly points?: readonly Point[];
    /** After the last whole line. */
    readonly torn?: string;
    readonly plan?: SweepPlan;
    readonly manifest?: Partial<RunManifest>;
  } = {},
): string {
  const { summary, points = [], torn = "", plan = PLAN } = run;
  const { runId, subject, startedAt, endedAt } = summary ?? wholeRun();
  const manifest: RunManifest = {
    runId,
    schemaVersion: 1,
    toolVersion: "0.1.0",
    state: summary === undefined ? "running" : "done",
    startedAt,
    endedAt: summary === undefined ? null : endedAt,
    plan,
    subject,
    prompts: "token-ids",
    environment: {
      runtime: "node",
      platform: "linux",
      cpu: "x",
      cores: 2,
      memoryBytes: 1,
      workers: 1,
      ceilingEventsPerSecond: null,
    },
    estimateMs: 1_000,
    resumed: [],
    ...run.manifest,
  };
  const directory = join(out, "runs", manifest.runId);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "run.json"), JSON.stringify(manifest));
  const rows = points.map((point) => `${JSON.stringify(point)}\n`).join("");
  writeFileSync(join(directory, "points.jsonl"), rows + torn);
  if (summary !== undefined)
    writeFileSync(join(directory, "summary.json"), JSON.stringify(summary));
  return directory;
}
