import { StoreError } from "../telemetry/store/store.ts";
import { CommandError, EXIT } from "./exit.ts";

/** Where history is kept when nobody says. */
const DATA_DIR = "pitot-data";

/**
 * Starts with a data directory: the one asked for, `none`, or the usual one. A directory that was asked for and cannot be
 * used is refused; when nobody asked, the proxy runs without history rather than not at all, and says so.
 */
export async function withDataDir<T>(
  asked: string | undefined,
  start: (dataDir: string | null) => Promise<T>,
): Promise<T> {
  if (asked === "none") return start(null);
  try {
    return await start(asked ?? DATA_DIR);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (asked !== undefined)
      throw new CommandError(
        EXIT.usage,
        `--data: ${error.message}: name another directory, or none to keep no history.`,
      );
    process.stderr.write(
      `pitot: history is not kept across restarts: ${error.message}. Name a directory with --data, or say --data none.\n`,
    );
    return start(null);
  }
}
