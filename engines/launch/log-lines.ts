import { StringDecoder } from "node:string_decoder";

/** A log line longer than this is cut: engines print whole configurations on one. */
const LINE_CHARS_MAX = 4_096;
/** Lines kept for the message when an engine dies: a Python traceback with its cause fits. */
const LINES_KEPT = 200;

// Colours and cursor movements (ECMA-48 control sequences); a log in a file has no use for them.
// eslint-disable-next-line no-control-regex
const CONTROL = /\u001B\[[0-9;?]*[ -/]*[@-~]/g;

/** Hears an engine's log as it is written. */
export interface LogListener {
  /** A whole line, without its end and its colours. */
  line(text: string): void;
  /** What has been written of a line not ended yet: llama.cpp draws its progress as dots on one. */
  unfinished(text: string): void;
}

/**
 * Bytes of one output stream in, lines out. A carriage return ends a line as well: progress bars redraw themselves with it.
 * Keeps nothing but the unfinished line.
 */
export class LogLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #listener: LogListener;
  #rest = "";

  constructor(listener: LogListener) {
    this.#listener = listener;
  }

  write(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** The stream is over: what is left counts as a line. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== "") this.#tell(this.#rest);
    this.#rest = "";
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    for (const line of lines) this.#tell(line);
    if (this.#rest !== "") this.#listener.unfinished(plain(this.#rest));
  }

  #tell(line: string): void {
    const text = plain(line).slice(0, LINE_CHARS_MAX).trimEnd();
    if (text !== "") this.#listener.line(text);
  }
}

/** The last lines of a log, oldest first. */
export class LogTail {
  readonly #lines: string[] = [];

  push(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }

  last(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}

function plain(text: string): string {
  return text.replaceAll(CONTROL, "");
}
