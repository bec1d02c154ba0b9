import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SweepEnd } from "./sweep-book.ts";
import type { SweepPoint, SweepView } from "./sweep-view.ts";

/** Beside a run's own files: what only the proxy knows of it. */
export const EMBEDDED = "embedded.json";

/** What the run's own files tell, or only a sweep under way has. */
type Elsewhere =
  | "points"
  | "finished"
  | "summary"
  | "shapeSummaries"
  | "plan"
  | "task"
  | "progress"
  | "directory";

/** `embedded.json`. Its points are those of `points.jsonl`, by their ids. */
export interface EmbeddedDocument extends Omit<SweepView, Elsewhere> {
  readonly schemaVersion: 1;
  readonly points: readonly ({ readonly pointId: string } & Omit<SweepPoint, "point">)[];
}

/** Writes the document of one sweep, again and again: one write at a time, and a reader never sees half of one. */
export class EmbeddedFile {
  readonly #failed: (message: string) => void;
  #written: Promise<void> = Promise.resolve();

  /** `failed` hears of a write that did not succeed. */
  constructor(failed: (message: string) => void) {
    this.#failed = failed;
  }

  /** Resolves when it is on disk, or could not be put there. */
  keep(view: SweepView, end?: SweepEnd & { readonly endedMs: number }): Promise<void> {
    const { directory } = view;
    if (directory === null) return this.#written;
    const document = {
      ...documentOf(view),
      ...(end === undefined ? {} : { ...end, remainingMs: null }),
    };
    this.#written = this.#written
      .then(() => replace(join(directory, EMBEDDED), document))
      .catch((error: unknown) => {
        this.#failed(`${EMBEDDED} could not be written: ${String(error)}`);
      });
    return this.#written;
  }
}

/** The document in a run's folder; `null` where there is none: the run of a command line, or none at all. */
export function readEmbedded(directory: string): EmbeddedDocument | null {
  try {
    const value: unknown = JSON.parse(readFileSync(join(directory, EMBEDDED), "utf8"));
    return isDocument(value) ? value : null;
  } catch {
    return null;
  }
}

function documentOf(view: SweepView): EmbeddedDocument {
  const {
    finished,
    summary: _summary,
    shapeSummaries: _shapes,
    plan: _plan,
    task: _task,
    progress: _progress,
    directory: _directory,
    ...rest
  } = view;
  const points = finished.map(({ point, ...beside }) => ({ pointId: point.pointId, ...beside }));
  return { ...rest, schemaVersion: 1, points };
}

async function replace(path: string, document: object): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(document, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

function isDocument(value: unknown): value is EmbeddedDocument {
  return (
    typeof value === "object" &&
    value !== null &&
    "schemaVersion" in value &&
    value.schemaVersion === 1 &&
    "id" in value &&
    "replica" in value &&
    "startedMs" in value &&
    "points" in value &&
    Array.isArray(value.points)
  );
}
