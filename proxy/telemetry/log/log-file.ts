import { constants } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";

/** What waits for the disk or for whoever reads the pipe; beyond it lines are dropped and counted. */
export const PENDING_BYTES_MAX = 4 * 1_048_576;
export const FILE_BYTES_MAX = 64 * 1_048_576;
export const FILES_MAX = 5;
/** `-` is standard output. */
const STANDARD_OUTPUT = "/dev/stdout";

export interface LogFileOptions {
  readonly path: string;
  readonly fileBytesMax: number;
  readonly filesMax: number;
}

/**
 * Appends text to a file, a named pipe or standard output without ever waiting for it: one write at a time, on a
 * descriptor that refuses rather than blocks, so a reader that stopped reading costs lines and nothing else. Files are
 * rotated by size: `log`, `log.1`, `log.2` …
 */
export class LogFile {
  /** Lines given up. */
  dropped = 0;
  readonly #options: LogFileOptions;
  readonly #rotates: boolean;
  #handle: FileHandle | null = null;
  #bytes = 0;
  #pending: { readonly text: string; readonly lines: number }[] = [];
  #pendingBytes = 0;
  /** The part of a write that was not taken. */
  #rest: Buffer | null = null;
  #writing: Promise<void> | null = null;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#rotates = options.path !== "-";
  }

  /** Takes whole lines, or counts them as dropped when too much waits already. */
  append(text: string, lines: number): void {
    if (this.#pendingBytes + text.length > PENDING_BYTES_MAX) {
      this.dropped += lines;
      return;
    }
    this.#pending.push({ text, lines });
    this.#pendingBytes += text.length;
  }

  /** Begins to write what waits, unless that is under way. */
  flush(): Promise<void> {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    this.dropped += this.#pending.reduce((sum, { lines }) => sum + lines, 0);
    this.#pending = [];
    await this.#handle?.close().catch(() => {});
    this.#handle = null;
  }

  async #drain(): Promise<void> {
    try {
      this.#handle ??= await this.#open();
      while (this.#rest !== null || this.#pending.length > 0) {
        if (this.#rest === null) await this.#next();
        if (!(await this.#write(this.#handle))) return;
      }
    } catch {
      // A full disk, a pipe without a reader: tried again with the next flush, within the same bound.
      await this.#handle?.close().catch(() => {});
      this.#handle = null;
      this.#rest = null;
    }
  }

  /** Takes the oldest waiting lines, in a file with room for them. */
  async #next(): Promise<void> {
    const { text } = this.#pending.shift() ?? { text: "" };
    this.#pendingBytes -= text.length;
    this.#rest = Buffer.from(text);
    if (!this.#rotates || this.#bytes === 0) return;
    if (this.#bytes + this.#rest.length > this.#options.fileBytesMax) await this.#rotate();
  }

  /** False when nothing more is taken for now. */
  async #write(handle: FileHandle | null): Promise<boolean> {
    const rest = this.#rest;
    const target = this.#handle ?? handle;
    if (rest === null || target === null) return false;
    try {
      const { bytesWritten } = await target.write(rest);
      this.#bytes += bytesWritten;
      this.#rest = bytesWritten === rest.length ? null : rest.subarray(bytesWritten);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return false;
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { path, filesMax } = this.#options;
    await this.#handle?.close();
    this.#handle = null;
    for (let number = filesMax - 1; number >= 1; number--) {
      const from = number === 1 ? path : `${path}.${number - 1}`;
      await rename(from, `${path}.${number}`).catch(() => {});
    }
    this.#handle = await this.#open();
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#options;
    const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;
    // Opened anew, so that not waiting is ours alone and not a surprise to others who share the descriptor.
    const handle = await open(this.#rotates ? path : STANDARD_OUTPUT, flags, 0o640);
    this.#bytes = this.#rotates ? (await stat(path)).size : 0;
    return handle;
  }
}
