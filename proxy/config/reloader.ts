import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { type Cancel, type Clock } from "../../engines/clock.ts";
import { ConfigError } from "./config-error.ts";
import type { Settings } from "./schema.ts";

/** How the last reload went. */
export interface ReloadResult {
  readonly atMs: number;
  /** Counts the configurations that were applied; the one at the start is 1. */
  readonly version: number;
  readonly ok: boolean;
  /** Problems of a rejected file, one a line; what changed and what needs a restart otherwise. */
  readonly message: string;
}

export interface ReloaderOptions {
  readonly file: string;
  readonly clock: Clock;
  /** Reads and checks; throws {@link ConfigError}. */
  readonly load: () => Settings;
  /** Puts settings into force at once; says in words what changed. */
  readonly apply: (settings: Settings) => string;
  readonly onResult: (result: ReloadResult) => void;
}

/** A file is read when it has not changed for this long: an editor or a deploy may still be writing. */
const SETTLED_MS = 250;

/**
 * Applies a configuration file again when it changes or when asked to. An invalid file changes nothing and says why; a
 * valid one swaps at once, and requests under way keep what they began with. Watches the folder, since editors and
 * Kubernetes replace files by renaming.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #watcher: FSWatcher;
  #pending: Cancel | null = null;
  #version = 1;
  #seen: string;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#seen = printOf(options.file);
    const name = basename(options.file);
    this.#watcher = watch(
      dirname(resolve(options.file)),
      { persistent: false },
      (_event, changed) => {
        // Mounted secrets and config maps change through a link beside the file (`..data`).
        if (changed === null || changed === name || changed.startsWith("..")) this.#soon();
      },
    );
    // The folder may vanish under a running proxy: it goes on with what it has.
    this.#watcher.on("error", () => {});
  }

  get version(): number {
    return this.#version;
  }

  /** Reads the file now, changed or not: what SIGHUP asks for. */
  reload(): ReloadResult {
    const { file, clock, load, apply, onResult } = this.#options;
    this.#seen = printOf(file);
    let result: ReloadResult;
    try {
      const message = apply(load());
      this.#version++;
      result = { atMs: clock.nowMs(), version: this.#version, ok: true, message };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const { message } = error;
      result = { atMs: clock.nowMs(), version: this.#version, ok: false, message };
    }
    onResult(result);
    return result;
  }

  stop(): void {
    this.#pending?.();
    this.#watcher.close();
  }

  /** Looks again when the file has been still for a while; a prefix of a file being written is never read. */
  #soon(): void {
    this.#pending?.();
    const { file, clock } = this.#options;
    const before = printOf(file);
    this.#pending = clock.schedule(SETTLED_MS, () => {
      this.#pending = null;
      const now = printOf(file);
      if (now !== before) this.#soon();
      else if (now !== this.#seen) this.reload();
    });
  }
}

/** Tells two states of a file apart; empty while there is none. */
function printOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return "";
  }
}
