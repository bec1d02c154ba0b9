import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import type { TrafficFit } from "../synthetic/sweep-view.ts";
import { CommandError, EXIT } from "./exit.ts";

/** A trace of requests as a workload, under the name of its file. */
export interface TracedShapes {
  readonly name: string;
  readonly fit: TrafficFit;
}

/** What may stand in the name of a workload, which is part of every point's. */
const NAME = /[^\w.-]+/g;

/**
 * Reads those of the lists of shapes that are traces, a file or one that comes with the product, and fits a workload to each: its
 * shapes and their shares, how much of them was cached, how bursty they came. The others are not in the answer.
 * @throws {CommandError} 2 for a trace that cannot be read, or holds too few requests.
 */
export async function tracedShapes(
  lists: readonly string[],
): Promise<ReadonlyMap<string, TracedShapes>> {
  const found = new Map<string, TracedShapes>();
  for (const list of lists) {
    const traced = await tracedOf(list);
    if (traced !== null) found.set(list, traced);
  }
  return found;
}

async function tracedOf(list: string): Promise<TracedShapes | null> {
  const { readTrace, TraceError, traces } = await import("../../load/trace.ts");
  const known = Object.entries(traces).find(([name]) => name === list)?.[1];
  if (known === undefined && !existsSync(list)) return null;
  const rows = await readTrace(known ?? list).catch((error: unknown) => {
    throw error instanceof TraceError
      ? new CommandError(EXIT.usage, `--shapes ${error.message}`)
      : error;
  });
  const { fitTraffic } = await import("../synthetic/traffic-fit.ts");
  const fit = fitTraffic(rows);
  const name = basename(list, extname(list)).replaceAll(NAME, "-");
  if (fit.workload !== null) return { name, fit };
  throw new CommandError(EXIT.usage, `--shapes ${list}: ${fit.notes.at(-1) ?? "holds no shape"}.`);
}
