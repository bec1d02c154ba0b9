import type { RunManifest } from "../../load/results/run-manifest.ts";
import { readRun, RunReadError } from "../../load/results/run-reader.ts";
import { locateRun } from "../../load/results/stored-summary.ts";
import { CommandError, EXIT } from "./exit.ts";

/** A run that was begun before, to go on with. */
export interface EarlierRun {
  readonly directory: string;
  readonly manifest: RunManifest;
}

/** A run by its folder, or by its id under the results directory. @throws {CommandError} 2 when there is none. */
export function earlierRun(name: string, out: string): EarlierRun {
  const directory = locateRun(name, out);
  try {
    return { directory, manifest: readRun(directory).manifest };
  } catch (error) {
    throw error instanceof RunReadError ? new CommandError(EXIT.usage, error.message) : error;
  }
}
