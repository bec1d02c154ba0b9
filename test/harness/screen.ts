// oxlint-disable-next-line no-control-regex
const PART = /\u001b\[(\?\d+|\d*)([A-Za-z])|\n|[^\u001b\n]+/g;

/** A terminal of so many columns, as far as a painter uses one: what a person would see on it. */
export class FakeScreen {
  columns: number;
  readonly rows = 24;
  readonly writes: string[] = [];
  cursor: "shown" | "hidden" = "shown";
  #lines: string[] = [""];
  #row = 0;

  constructor(columns = 100) {
    this.columns = columns;
  }

  hasColors(): boolean {
    return false;
  }

  /** What stands on the screen, from the top, without empty lines at the end. */
  text(): string {
    return this.#lines.join("\n").trimEnd();
  }

  write(text: string): boolean {
    this.writes.push(text);
    for (const [part, argument, command] of text.matchAll(PART)) {
      if (part === "\n") this.#down();
      else if (command === undefined) this.#print(part);
      else this.#obey(command, argument ?? "");
    }
    return true;
  }

  #obey(command: string, argument: string): void {
    if (command === "F") this.#row -= Number(argument);
    else if (command === "J") this.#lines.length = this.#row;
    else if (argument === "?25") this.cursor = command === "h" ? "shown" : "hidden";
    if (this.#row < 0) throw new Error("the cursor left the screen at the top");
    this.#lines[this.#row] ??= "";
  }

  #down(): void {
    this.#row += 1;
    this.#lines[this.#row] ??= "";
  }

  /** A line is written whole, so what stood in it is gone. */
  #print(text: string): void {
    if (text.length > this.columns) throw new Error(`a line of ${text.length} columns wraps`);
    this.#lines[this.#row] = text;
  }
}
