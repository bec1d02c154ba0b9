import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Exchange, ttftMs } from "../../engines/exchange.ts";
import type { Point } from "./smoke-point.ts";

/** What a run is, in `run.json`. */
export interface RunManifest {
  readonly runId: string;
  readonly schemaVersion: 1;
  readonly state: "running" | "done" | "interrupted" | "failed";
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly preset: string;
  readonly seed: number;
  readonly target: string;
  readonly engine: string;
  readonly engineVersion: string | null;
  readonly model: string;
  readonly shapes: readonly string[];
  readonly runtime: string;
}

/**
 * A run on disk, append-only: whatever was measured is there even after `kill -9`. Requests are written as they end and
 * forced out with every finished point; no text of prompt or answer is ever written.
 */
export class RunFolder {
  readonly directory: string;
  #manifest: RunManifest;

  constructor(root: string, manifest: RunManifest) {
    this.directory = join(root, "runs", manifest.runId);
    this.#manifest = manifest;
    mkdirSync(this.directory, { recursive: true });
    this.#writeManifest();
  }

  request(exchange: Exchange, sendLagMs: number): void {
    const { id, label, times, tokens, outcome, status, outputEvents } = exchange;
    this.#append("requests.jsonl", {
      id,
      point: label,
      startedMs: times.startedMs,
      sendLagMs,
      ttftMs: ttftMs(exchange),
      lastTokenMs: times.lastTokenMs,
      endedMs: times.endedMs,
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      cachedInputTokens: tokens.cachedInput,
      countedBy: tokens.countedBy,
      outcome: outcome.kind,
      code: "code" in outcome ? outcome.code : null,
      status,
      outputEvents,
    });
  }

  point(point: Point): void {
    this.#append("points.jsonl", point);
    for (const name of ["requests.jsonl", "points.jsonl"]) this.#force(name);
  }

  event(atMs: number, kind: string, message: string): void {
    this.#append("events.jsonl", { atMs, kind, message });
  }

  summary(document: object): void {
    this.#replace("summary.json", document);
  }

  end(state: RunManifest["state"], endedAt: string): void {
    this.#manifest = { ...this.#manifest, state, endedAt };
    this.#writeManifest();
  }

  #writeManifest(): void {
    this.#replace("run.json", this.#manifest);
  }

  #append(name: string, row: object): void {
    appendFileSync(join(this.directory, name), `${JSON.stringify(row)}\n`);
  }

  /** A reader never sees half a document: it is written beside and renamed over. */
  #replace(name: string, document: object): void {
    const path = join(this.directory, name);
    writeFileSync(`${path}.new`, `${JSON.stringify(document, null, 2)}\n`);
    renameSync(`${path}.new`, path);
  }

  #force(name: string): void {
    const file = openSync(join(this.directory, name), "a");
    fsyncSync(file);
    closeSync(file);
  }
}

/** An id that sorts by time: `20261124T165501-3f2a`. */
export function newRunId(at: Date, random: number): string {
  const stamp = at.toISOString().replaceAll(/[-:]|\.\d+Z$/g, "");
  return `${stamp}-${Math.floor(random * 65_536)
    .toString(16)
    .padStart(4, "0")}`;
}
