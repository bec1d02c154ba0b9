import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JudgedSummary, Judgement } from "../../load/results/judged-summary.ts";
import { type ReportName, reports } from "../../load/results/report/index.ts";
import type { ReportInput } from "../../load/results/report/report.ts";
import { RunReadError } from "../../load/results/run-reader.ts";
import { locateRun, readSummary } from "../../load/results/stored-summary.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import { readThreshold, type Threshold, ThresholdError } from "../../load/results/thresholds.ts";
import { CommandError, EXIT, type ExitStatus } from "./exit.ts";
import type { OutputFlags } from "./output-flags.ts";

/** What the flags ask for, read and checked. */
export interface Outputs extends Judgement {
  readonly formats: readonly ReportName[];
  readonly failOnWorse: boolean;
}

/**
 * Reads the flags before anything is measured: an hour's sweep does not end in a typing error. `out`: where runs are kept.
 * @throws {CommandError} 2, naming the flag and what is wrong with it.
 */
export function readOutputs(
  flags: OutputFlags,
  out: string,
  formatsDefault: readonly ReportName[],
): Outputs {
  const thresholds = (flags.failIf ?? []).map(conditionFlag);
  const relative = thresholds.find((threshold) => threshold.relative);
  const missing = relative === undefined ? flags.failOnWorse : true;
  if (flags.baseline === undefined && missing === true) {
    const flag = relative === undefined ? "--fail-on-worse" : `--fail-if "${relative.text}"`;
    throw new CommandError(EXIT.usage, `${flag} needs an earlier run: name it with --baseline.`);
  }
  return {
    formats: flags.formats === undefined ? formatsDefault : formatsFlag(flags.formats),
    thresholds,
    baseline: flags.baseline === undefined ? null : storedSummary(flags.baseline, out),
    failOnWorse: flags.failOnWorse === true,
  };
}

/** A run's document by folder, id or file. @throws {CommandError} 2 when there is none. */
export function storedSummary(
  name: string,
  out: string,
): SweepSummary & Partial<Pick<JudgedSummary, "thresholds" | "comparison">> {
  try {
    return readSummary(locateRun(name, out));
  } catch (error) {
    throw error instanceof RunReadError ? new CommandError(EXIT.usage, error.message) : error;
  }
}

/** Writes reports beside a run, and the Markdown to the job's page on GitHub. Gives the files. @throws {CommandError} 1 */
export function writeReports(
  directory: string,
  formats: readonly ReportName[],
  input: ReportInput,
): readonly string[] {
  const files = formats.map((name) => {
    const report = reports[name];
    const path = join(directory, report.file);
    written(path, () => {
      writeFileSync(`${path}.new`, report.write(input));
      renameSync(`${path}.new`, path);
    });
    return path;
  });
  const page = process.env["GITHUB_STEP_SUMMARY"] ?? "";
  if (page !== "") {
    written(page, () => {
      appendFileSync(page, `${String(reports.md.write(input))}\n`);
    });
  }
  return files;
}

/**
 * Interrupted before invalid before breached: a run that was cut short proves nothing, and neither does one in which the
 * generator was the limit.
 */
export function statusOf(summary: JudgedSummary, failOnWorse: boolean): ExitStatus {
  if (summary.interrupted) return EXIT.interrupted;
  if (!summary.valid) return EXIT.invalidRun;
  const breached = summary.thresholds.some(({ verdict }) => verdict === "breached");
  const worse = failOnWorse && (summary.comparison?.worse ?? 0) > 0;
  return breached || worse ? EXIT.threshold : EXIT.ok;
}

function conditionFlag(text: string): Threshold {
  try {
    return readThreshold(text);
  } catch (error) {
    throw error instanceof ThresholdError
      ? new CommandError(EXIT.usage, `--fail-if ${error.message}`)
      : error;
  }
}

function formatsFlag(text: string): readonly ReportName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !Object.hasOwn(reports, name));
  if (unknown === undefined) return [...new Set(names)] as readonly ReportName[];
  throw new CommandError(
    EXIT.usage,
    `--formats "${unknown}" is no report: choose from ${Object.keys(reports).join(", ")}.`,
  );
}

function written(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      EXIT.failure,
      `${path} could not be written (${why}): the run is kept, pitot report writes it again.`,
    );
  }
}
