import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import { type Line, rendered, widthOf } from "./span.ts";

/** Five frames a second: fast enough to look alive, slow enough to read, and for a link over ssh. */
export const FRAME_PERIOD_MS = 200;
const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;

/** What {@link Painter} needs of a terminal: a `tty.WriteStream` is one. */
export interface Screen {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  hasColors?(): boolean;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** Terminals that know it hold the frame back until it is whole; others ignore it (DEC private mode 2026). */
const BEGIN_FRAME = "\u001b[?2026h";
const END_FRAME = "\u001b[?2026l";
const ERASE_LINE_END = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/**
 * Keeps a block of lines at the bottom of a terminal: a frame rewrites it in place in one write, other output goes above it.
 * `close` erases it and gives the cursor back; it is called, too, when the program exits first.
 */
export class Painter {
  readonly #screen: Screen;
  readonly #frame: () => readonly Line[];
  readonly #stop: Cancel;
  readonly #colors: "on" | "off";
  /** Lines that stand on the screen, and how wide they are without colour. */
  #shown: readonly string[] = [];
  #widths: readonly number[] = [];
  #closed = false;

  constructor(screen: Screen, clock: Clock, frame: () => readonly Line[]) {
    this.#screen = screen;
    this.#frame = frame;
    this.#colors = screen.hasColors?.() === true ? "on" : "off";
    this.#stop = every(clock, FRAME_PERIOD_MS, () => {
      this.#paint();
    });
    screen.write(HIDE_CURSOR);
    process.on("exit", this.close);
  }

  /** Lets `write` print whole lines where the block stands; the block comes back below them. */
  above(write: () => void): void {
    if (this.#closed) {
      write();
      return;
    }
    this.#screen.write(this.#home() + ERASE_BELOW);
    this.#shown = [];
    write();
    this.#paint();
  }

  readonly close = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    process.off("exit", this.close);
    this.#screen.write(`${this.#home()}${ERASE_BELOW}${SHOW_CURSOR}`);
  };

  #paint(): void {
    const rows = known(this.#screen.rows, ROWS_DEFAULT);
    // One column is left free: a full line makes some terminals wrap. And a row: the cursor waits below the block.
    const width = this.#columns() - 1;
    const wanted = this.#frame().slice(0, rows - 1);
    const lines = wanted.map((line) => rendered(line, width, this.#colors));
    const same =
      lines.length === this.#shown.length && lines.every((line, at) => line === this.#shown[at]);
    if (same) return;
    const text = lines.map((line) => `${line}${ERASE_LINE_END}\n`).join("");
    this.#screen.write(`${BEGIN_FRAME}${this.#home()}${text}${ERASE_BELOW}${END_FRAME}`);
    this.#shown = lines;
    this.#widths = wanted.map((line) => Math.min(widthOf(line), width));
  }

  /** To the first column of the block's first line, however a narrower window has wrapped the lines since. */
  #home(): string {
    if (this.#shown.length === 0) return "";
    const columns = this.#columns();
    const height = this.#widths.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / columns)),
      0,
    );
    return `\u001b[${height}F`;
  }

  #columns(): number {
    return known(this.#screen.columns, COLUMNS_DEFAULT);
  }
}

/** A pseudo-terminal nobody gave a size says 0. */
function known(size: number | undefined, otherwise: number): number {
  return size === undefined || size === 0 ? otherwise : size;
}
