import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunManifest } from "./run-manifest.ts";
import type { Point } from "./point.ts";

/** A line of a run's files that could not be read: torn by a crash, or no JSON. */
export interface BadLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly why: string;
}

/** A run as it lies on disk. */
export interface StoredRun {
  readonly manifest: RunManifest;
  readonly points: readonly Point[];
  readonly bad: readonly BadLine[];
}

/** A folder that holds no run, with what to do. */
export class RunReadError extends Error {
  override readonly name = "RunReadError";
}

/**
 * Reads a run's manifest and finished points. Lines that are torn or hold no JSON are reported and skipped: the rest of
 * the run is as good as before.
 * @throws {RunReadError} when there is no readable `run.json`.
 */
export function readRun(directory: string): StoredRun {
  const manifest = readManifest(directory);
  const { rows, bad } = readRows<Point>(directory, "points.jsonl", isPoint);
  return { manifest, points: rows, bad };
}

/** Rows of one of a run's JSONL files that pass `isRow`, and the lines that do not. An absent file has none. */
export function readRows<T>(
  directory: string,
  file: string,
  isRow: (value: unknown) => value is T,
): { readonly rows: readonly T[]; readonly bad: readonly BadLine[] } {
  const lines = textOf(join(directory, file)).split("\n");
  const rows: T[] = [];
  const bad: BadLine[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    const isLast = index === lines.length - 1;
    const value = parsed(line);
    if (isRow(value)) rows.push(value);
    else bad.push({ file, line: index + 1, why: isLast ? "torn last line" : "not a row of a run" });
  }
  return { rows, bad };
}

function readManifest(directory: string): RunManifest {
  const value = parsed(textOf(join(directory, "run.json")));
  if (typeof value === "object" && value !== null && "runId" in value && "schemaVersion" in value) {
    const manifest = value as RunManifest;
    if (manifest.schemaVersion === 1) return manifest;
    throw new RunReadError(
      `${directory}/run.json has schema version ${String(manifest.schemaVersion)}, which this Pitot does not read: use the version that wrote it.`,
    );
  }
  throw new RunReadError(
    `${directory} holds no run: there is no readable run.json. Name a run's folder, such as data/runs/20261124T165501-3f2a.`,
  );
}

function isPoint(value: unknown): value is Point {
  return (
    typeof value === "object" &&
    value !== null &&
    "pointId" in value &&
    "windowMs" in value &&
    "stage" in value
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
