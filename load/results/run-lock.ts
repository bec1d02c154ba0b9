import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A run that another process is writing. */
export class RunLockedError extends Error {
  override readonly name = "RunLockedError";
}

/** The file that says who writes a run. */
export const LOCK = "lock";

/**
 * Claims a run's folder for this process. A lock whose owner no longer lives is taken over: that is what `kill -9`
 * leaves behind.
 * @throws {RunLockedError} while its owner lives.
 */
export function lockRun(directory: string): { readonly release: () => void } {
  const path = join(directory, LOCK);
  const mine = `${process.pid}\n`;
  for (;;) {
    try {
      writeFileSync(path, mine, { flag: "wx" });
      return {
        release: () => {
          if (ownerOf(path) === process.pid) unlinkSync(path);
        },
      };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const owner = ownerOf(path);
    if (owner !== null && owner !== process.pid && isAlive(owner)) {
      throw new RunLockedError(
        `${directory} is being written by process ${owner}: wait for it, stop it, or choose another --out.`,
      );
    }
    if (owner === process.pid) {
      throw new RunLockedError(`${directory} is already open in this process.`);
    }
    removeStale(path);
  }
}

/** Whether another living process writes the run. A lock with this process's own number is of an earlier life: containers count from 1. */
export function isBeingWritten(directory: string): boolean {
  const owner = ownerOf(join(directory, LOCK));
  return owner !== null && owner !== process.pid && isAlive(owner);
}

/** The process a lock names; `null` when it is gone or says nothing, which a crash in mid-write leaves. */
function ownerOf(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, "utf8").trim());
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    // Somebody else removed it first: the next round decides who holds it.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Alive, but another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
