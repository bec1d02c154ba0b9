import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RunFolder } from "../../load/results/run-folder.ts";
import { isBeingWritten } from "../../load/results/run-lock.ts";
import { readRun, RunReadError, type StoredRun } from "../../load/results/run-reader.ts";
import { readSummary } from "../../load/results/stored-summary.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import { type EmbeddedDocument, readEmbedded } from "./embedded-document.ts";
import type { SweepRow, SweepView } from "./sweep-view.ts";

/** What a run's folder is called; nothing else under `runs` is looked at. */
const RUN_ID = /^\d{8}T\d{6}-[0-9a-f]{4}$/;
/** Folders looked into at a start: runs of the command line lie among them. */
const LOOKED_MAX = 500;
const ENDED = new Set(["done", "stopped", "failed"]);
const INTERRUPTED = {
  state: "interrupted",
  because: "interrupted: the proxy was gone before it ended",
} as const;

/** A sweep of an earlier life of the proxy, out of its run's folder. */
export interface KeptSweep {
  row(): SweepRow;
  /** Whole; its points are read again each time. */
  view(): SweepView;
}

/**
 * The newest sweeps of earlier lives, newest first, at most so many. Those that were under way when the proxy was killed are
 * there with what they measured, as interrupted; those another process still writes are not ours to show.
 */
export function keptSweeps(dataDir: string | null, max: number): Map<string, KeptSweep> {
  const kept = new Map<string, KeptSweep>();
  if (dataDir === null) return kept;
  let looked = 0;
  for (const id of runsIn(join(dataDir, "runs"))) {
    if (kept.size >= max || looked++ >= LOOKED_MAX) break;
    const directory = join(dataDir, "runs", id);
    const document = readEmbedded(directory);
    if (document?.id !== id) continue;
    const isOver = ENDED.has(document.state);
    if (!isOver && isBeingWritten(directory)) continue;
    const sweep = tryToRead(() => {
      if (!isOver) closeRun(directory);
      return new Kept(directory, document);
    });
    if (sweep !== null) kept.set(id, sweep);
  }
  return kept;
}

/**
 * Removes the runs of a proxy's sweeps beyond the newest `max` and gives their ids. Runs of the command line are
 * not the proxy's to remove; its own that is under way is the newest.
 */
export function removeOldRuns(dataDir: string, max: number): readonly string[] {
  const removed: string[] = [];
  let kept = 0;
  for (const id of runsIn(join(dataDir, "runs"))) {
    const directory = join(dataDir, "runs", id);
    const state = readEmbedded(directory)?.state;
    if (state === undefined || ++kept <= max || isBeingWritten(directory)) continue;
    const gone = tryToRead(() => {
      rmSync(directory, { recursive: true, force: true });
      return id;
    });
    if (gone !== null) removed.push(gone);
  }
  return removed;
}

function runsIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => RUN_ID.test(name));
    // Ids sort by time.
    return names.toSorted().toReversed();
  } catch {
    return [];
  }
}

/** The run says itself that it was cut short, as of the last thing it measured. */
function closeRun(directory: string): void {
  RunFolder.abandon(directory, "interrupted", new Date(lastMs(readRun(directory))).toISOString());
}

class Kept implements KeptSweep {
  readonly #directory: string;
  readonly #document: EmbeddedDocument;
  readonly #endedMs: number;
  readonly #headline: string | null;

  /** @throws {RunReadError} when the run beside it cannot be read. */
  constructor(directory: string, document: EmbeddedDocument) {
    this.#directory = directory;
    this.#document = document;
    this.#endedMs = document.endedMs ?? lastMs(readRun(directory));
    this.#headline = document.headline ?? this.#summary()?.headline ?? null;
  }

  row(): SweepRow {
    const { points, id, replica, model, shapes, preset, path, traffic, ...rest } = this.#document;
    const { state, because, startedMs, estimateMs, requests, tokens } = rest;
    return {
      id,
      replica,
      model,
      shapes,
      preset,
      path,
      traffic,
      startedMs,
      estimateMs,
      requests,
      tokens,
      ...(ENDED.has(state) ? { state, because } : INTERRUPTED),
      endedMs: this.#endedMs,
      remainingMs: null,
      points: points.length,
      headline: this.#headline,
    };
  }

  view(): SweepView {
    const { schemaVersion: _version, points: beside, ...document } = this.#document;
    const run = tryToRead(() => readRun(this.#directory));
    const summary = this.#summary();
    const known = new Map(beside.map(({ pointId, ...rest }) => [pointId, rest]));
    const points = run?.points ?? [];
    return {
      ...document,
      ...this.row(),
      plan: run?.manifest.plan ?? null,
      task: null,
      progress: null,
      finished: points.flatMap((point) => {
        const rest = known.get(point.pointId);
        return rest === undefined ? [] : [{ point, ...rest }];
      }),
      shapeSummaries: summary?.shapes ?? [],
      directory: this.#directory,
      summary,
    };
  }

  #summary(): SweepSummary | null {
    return tryToRead(() => readSummary(this.#directory));
  }
}

/** When the last point ended, in epoch ms. */
function lastMs({ manifest, points }: StoredRun): number {
  const ends = points.map(
    ({ startedMs, settleMs, windowMs, drainMs }) => startedMs + settleMs + windowMs + drainMs,
  );
  return Math.max(Date.parse(manifest.endedAt ?? manifest.startedAt), ...ends);
}

/** A folder that somebody emptied or spoiled must not keep a proxy from starting, or a list from being shown. */
function tryToRead<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RunReadError || isFileError(error)) return null;
    throw error;
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
