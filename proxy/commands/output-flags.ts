import type { Command } from "commander";

/** Flags that say what becomes of a run's figures. */
export interface OutputFlags {
  readonly formats?: string;
  readonly failIf?: readonly string[];
  readonly baseline?: string;
  readonly failOnWorse?: true;
}

/** Adds them to a command. */
export function withOutputFlags(command: Command): Command {
  return command
    .option("--formats <list>", "reports to write: json, jsonl, csv, parquet, junit, md, html")
    .option("--fail-if <condition>", "such as 'ttft_p95 > 300ms' (repeatable)", collect)
    .option("--baseline <run>", "an earlier run to compare with: folder, id or summary.json")
    .option("--fail-on-worse", "end with 99 when a figure is worse than the baseline's");
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
