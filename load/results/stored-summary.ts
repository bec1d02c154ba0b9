import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { summariseStored } from "../sweep/run-summary.ts";
import type { JudgedSummary } from "./judged-summary.ts";
import { readRun, RunReadError } from "./run-reader.ts";
import type { SweepSummary } from "./summary.ts";

/** A run by its folder, by its id under the results directory, or by its document; the path as given when there is none. */
export function locateRun(name: string, out: string): string {
  return [name, join(out, "runs", name)].find((path) => existsSync(path)) ?? name;
}

/**
 * Reads a run's document: `summary.json` of a folder, or the file itself. A run that was killed before it had one is summed
 * up from its points; verdicts are there if the document has them.
 * @throws {RunReadError} when there is neither.
 */
export function readSummary(path: string): SweepSummary & Partial<JudgedSummary> {
  if (!existsSync(path)) {
    throw new RunReadError(
      `${path} holds no run: there is no such file or folder. Name a run's folder, its id, or its summary.json.`,
    );
  }
  if (!statSync(path).isDirectory()) return readDocument(path);
  const run = readRun(path);
  const document = join(path, "summary.json");
  // A resumed run that was killed again has the document of its earlier part: its points know more.
  const isWhole = existsSync(document) && run.manifest.state !== "running";
  return isWhole ? readDocument(document) : summariseStored(run);
}

function readDocument(path: string): SweepSummary & Partial<JudgedSummary> {
  const value = parsed(readFileSync(path, "utf8"));
  if (
    typeof value === "object" &&
    value !== null &&
    "runId" in value &&
    "shapes" in value &&
    Array.isArray(value.shapes) &&
    "subject" in value
  ) {
    const summary = value as JudgedSummary;
    if (summary.schemaVersion === 1) return summary;
    throw new RunReadError(
      `${path} has schema version ${String(summary.schemaVersion)}, which this Pitot does not read: use the version that wrote it.`,
    );
  }
  throw new RunReadError(
    `${path} is no document of a sweep: name a run's folder, or what pitot sweep --json printed.`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
