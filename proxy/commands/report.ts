import { statSync } from "node:fs";
import { dirname } from "node:path";
import { Command } from "commander";
import type { SweepSummary } from "../../load/results/summary.ts";
import { CommandError, EXIT } from "./exit.ts";
import { type OutputFlags, withOutputFlags } from "./output-flags.ts";

interface ReportFlags extends OutputFlags {
  readonly data: string;
  readonly to?: string;
}

/** `pitot report`: writes the reports of a kept run again, judged anew where conditions are given. */
export function reportCommand(): Command {
  const command = new Command("report")
    .description("write the reports of a kept sweep again, or judge it by other conditions")
    .argument("<run>", "a run: its folder, its id or its summary.json")
    .option("--data <dir>", "where runs are kept", "data")
    .option("--to <dir>", "where reports go (beside the run when absent)");
  return withOutputFlags(command).action(runReport);
}

async function runReport(name: string, flags: ReportFlags): Promise<void> {
  const { judgeRun } = await import("../../load/results/judged-summary.ts");
  const { locateRun } = await import("../../load/results/stored-summary.ts");
  const { readOutputs, statusOf, storedSummary, writeReports } = await import("./sweep-outputs.ts");
  const { verdictLines } = await import("./verdict-lines.ts");
  const outputs = readOutputs(flags, flags.data, ["html"]);
  const stored = storedSummary(name, flags.data);
  const judged = judgeRun(stored, outputs);
  // Verdicts the run got when it ended stay its own until somebody asks for others.
  const thresholds = flags.failIf === undefined ? (stored.thresholds ?? []) : judged.thresholds;
  const comparison = flags.baseline === undefined ? (stored.comparison ?? null) : judged.comparison;
  const summary = { ...judged, thresholds, comparison };
  const located = locateRun(name, flags.data);
  const folder = statSync(located).isDirectory() ? located : dirname(located);
  const directory = flags.to ?? folder;
  if (!isDirectory(directory))
    throw new CommandError(EXIT.usage, `--to ${directory} is no folder: make it first.`);
  const command = await commandOf(folder, summary);
  const files = writeReports(directory, outputs.formats, {
    summary,
    thresholds,
    comparison,
    command,
  });
  for (const line of verdictLines(summary)) process.stderr.write(`${line}\n`);
  for (const file of files) process.stdout.write(`${file}\n`);
  if (flags.failIf !== undefined || flags.failOnWorse === true)
    process.exitCode = summary.valid ? statusOf(summary, outputs.failOnWorse) : EXIT.invalidRun;
}

/** The command that gives the run again; a document without its folder has no plan, only what it says of itself. */
async function commandOf(folder: string, summary: SweepSummary): Promise<string> {
  const { readRun, RunReadError } = await import("../../load/results/run-reader.ts");
  const { repeatCommand } = await import("./sweep-repeat.ts");
  const { shellLine } = await import("./shell-line.ts");
  try {
    const { manifest } = readRun(folder);
    if (manifest.runId === summary.runId) return repeatCommand(manifest.subject, manifest.plan);
  } catch (error) {
    if (!(error instanceof RunReadError)) throw error;
  }
  const { preset, seed, subject } = summary;
  const from = ["pitot", "sweep", subject.target, "--model", subject.model];
  return shellLine([...from, "--preset", preset, "--seed", String(seed)]);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
