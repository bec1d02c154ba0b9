import { Command } from "commander";
import { EXIT } from "./exit.ts";

interface CompareFlags {
  readonly data: string;
  readonly all?: true;
  readonly json?: true;
  readonly failOnWorse?: true;
}

/** `pitot compare`: what changed from one kept run to another, where their intervals lie apart. */
export function compareCommand(): Command {
  return new Command("compare")
    .description("say what changed between two sweeps, and only where it is sure")
    .argument("<before>", "a run: its folder, its id or its summary.json")
    .argument("<after>", "the run to hold against it")
    .option("--data <dir>", "where runs are kept", "data")
    .option("--all", "figures that did not change, too")
    .option("--json", "print one JSON document instead of the table")
    .option("--fail-on-worse", "end with 99 when a figure is worse")
    .action(runCompare);
}

async function runCompare(before: string, after: string, flags: CompareFlags): Promise<void> {
  const { compareRuns } = await import("../../load/results/compare.ts");
  const { storedSummary } = await import("./sweep-outputs.ts");
  const { changeRows } = await import("./verdict-lines.ts");
  const [was, is] = [storedSummary(before, flags.data), storedSummary(after, flags.data)];
  const comparison = compareRuns(was, is);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(comparison)}\n`);
  else {
    for (const warning of comparison.warnings) process.stderr.write(`not the same: ${warning}\n`);
    for (const { runId, valid, invalidBecause } of [was, is])
      if (!valid) process.stderr.write(`${runId} is not valid: ${invalidBecause}\n`);
    const rows = comparison.rows.filter(({ verdict }) => flags.all === true || verdict !== "same");
    const lines = [`${was.runId} → ${is.runId}`, ...changeRows(rows), comparison.sentence];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  if (flags.failOnWorse === true && comparison.worse > 0) process.exitCode = EXIT.threshold;
}
