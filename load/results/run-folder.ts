import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Exchange, ttftMs } from "../../engines/exchange.ts";
import type { SweepEvent } from "../sweep/events.ts";
import type { Point } from "./point.ts";
import { LOCK, lockRun } from "./run-lock.ts";
import type { RunManifest, RunState } from "./run-manifest.ts";
import { readRun, type StoredRun } from "./run-reader.ts";
import type { SweepSummary } from "./summary.ts";

const ROWS = ["points.jsonl", "requests.jsonl", "events.jsonl"] as const;

type RowFile = (typeof ROWS)[number];

/** An error text of an engine is kept up to this length. */
const ERROR_CHARACTERS_MAX = 200;

/**
 * A run on disk, append-only: one write per row, forced out with every finished point and, through {@link flush}, once a
 * second, so that whatever was measured is there even after `kill -9`. One process writes a run. No text of prompt or
 * answer is ever written.
 */
export class RunFolder {
  readonly directory: string;
  readonly #files: ReadonlyMap<RowFile, number>;
  readonly #lock: { readonly release: () => void };
  /** Which process of the run writes: rows of a point that a crash cut short are told from those of its repetition. */
  readonly #part: number;
  #manifest: RunManifest;

  private constructor(directory: string, manifest: RunManifest, lock: { release: () => void }) {
    this.directory = directory;
    this.#manifest = manifest;
    this.#lock = lock;
    this.#part = manifest.resumed.length;
    this.#files = new Map(ROWS.map((name) => [name, openRows(join(directory, name))]));
    this.#writeManifest();
  }

  /** Makes the folder of a new run. @throws {RunLockedError} */
  static create(root: string, manifest: RunManifest): RunFolder {
    const directory = join(root, "runs", manifest.runId);
    mkdirSync(directory, { recursive: true });
    return new RunFolder(directory, manifest, lockRun(directory));
  }

  /**
   * Goes on with a run: its finished points are given back and stay.
   * @throws {RunReadError} when it holds no run. @throws {RunLockedError} while another process writes it.
   */
  static resume(directory: string, at: string): { folder: RunFolder; stored: StoredRun } {
    const lock = lockRunOrRead(directory);
    const stored = readRun(directory);
    const { manifest, points } = stored;
    const resumed = [...manifest.resumed, { at, pid: process.pid, points: points.length }];
    const next: RunManifest = { ...manifest, state: "running", endedAt: null, resumed };
    return { folder: new RunFolder(directory, next, lock), stored };
  }

  /** Ends, in place of a writer that died, a run of this process that still says it is running. One that has ended stays as it is. */
  static abandon(directory: string, state: RunState, endedAt: string): void {
    if (!existsSync(join(directory, "run.json"))) return;
    const { manifest } = readRun(directory);
    if (manifest.state === "running")
      replaceDocument(directory, "run.json", { ...manifest, state, endedAt });
    rmSync(join(directory, LOCK), { force: true });
  }

  get manifest(): RunManifest {
    return this.#manifest;
  }

  request(exchange: Exchange, sendLagMs: number): void {
    const { id, label, times, tokens, outcome, status, outputEvents, replica } = exchange;
    this.#append("requests.jsonl", {
      id,
      point: label,
      part: this.#part,
      startedMs: rounded(times.startedMs),
      sendLagMs: rounded(sendLagMs),
      ttftMs: rounded(ttftMs(exchange)),
      firstAnswerMs: rounded(times.firstAnswerMs),
      lastTokenMs: rounded(times.lastTokenMs),
      endedMs: rounded(times.endedMs),
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      cachedInputTokens: tokens.cachedInput,
      reasoningTokens: tokens.reasoning,
      countedBy: tokens.countedBy,
      outcome: outcome.kind,
      code: "code" in outcome ? outcome.code.slice(0, ERROR_CHARACTERS_MAX) : null,
      finishReason: outcome.kind === "completed" ? outcome.finishReason : null,
      status,
      replica,
      outputEvents,
    });
  }

  /** Appends a finished point and forces everything before it to disk. */
  point(point: Point): void {
    this.#append("points.jsonl", { ...point, part: this.#part });
    for (const file of this.#files.values()) fdatasyncSync(file);
  }

  /** Keeps an event that is worth reading later; progress is not. */
  event(event: SweepEvent): void {
    if (event.kind === "progress" || event.kind === "ended") return;
    this.#append("events.jsonl", event.kind === "point-finished" ? withoutPoint(event) : event);
  }

  /** Forces out what was written, without holding up whoever calls. */
  flush(): void {
    for (const file of this.#files.values()) {
      fdatasync(file, (error) => {
        // A folder closed meanwhile was forced out when it closed.
        if (error !== null && error.code !== "EBADF") throw error;
      });
    }
  }

  summary(document: SweepSummary): void {
    replaceDocument(this.directory, "summary.json", document);
  }

  /** Ends this process's part of the run and gives the folder free. */
  end(state: RunState, endedAt: string): void {
    this.#manifest = { ...this.#manifest, state, endedAt };
    this.#writeManifest();
    for (const file of this.#files.values()) {
      fdatasyncSync(file);
      closeSync(file);
    }
    this.#lock.release();
  }

  #writeManifest(): void {
    replaceDocument(this.directory, "run.json", this.#manifest);
  }

  #append(name: RowFile, row: object): void {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`${name} is no file of a run`);
    writeSync(file, `${JSON.stringify(row)}\n`);
  }
}

/** A reader never sees half a document: it is written beside and renamed over. */
function replaceDocument(directory: string, name: string, document: object): void {
  const path = join(directory, name);
  writeFileSync(`${path}.new`, `${JSON.stringify(document, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

function lockRunOrRead(directory: string): { readonly release: () => void } {
  // Reading first gives the better sentence when the folder is no run at all.
  readRun(directory);
  return lockRun(directory);
}

/** Opens a file for appending; a last line torn by a crash is closed, so that the next row starts its own. */
function openRows(path: string): number {
  const file = openSync(path, "a+");
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last.toString() !== "\n") {
    writeSync(file, "\n");
  }
  return file;
}

function withoutPoint(event: SweepEvent & { kind: "point-finished" }): object {
  const { point, ...rest } = event;
  return { ...rest, pointId: point.pointId, stopReason: point.stopReason };
}

/** Microseconds are enough, and half the file. */
function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1000;
}
