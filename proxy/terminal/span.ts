import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Text of one style. Without a style it is as the terminal has it. */
export interface Span {
  readonly text: string;
  readonly style?: Style;
}

/** One line of a view, in pieces. */
export type Line = readonly Span[];

/** Control and bidirectional characters, those of no width, and those that are or may be two columns wide. */
const NOT_ONE_COLUMN =
  /[\p{Cc}\p{Cf}\p{M}\p{Zl}\p{Zp}\u1100-\u115f\u2e80-\ud7ff\uf900-\u{10ffff}]/gu;

/**
 * Names come from engines: what would move the cursor or set the window's title is shown as a box. So is what does not take
 * one column; afterwards a text's length is its width.
 */
export function printable(text: string): string {
  return text.replaceAll(NOT_ONE_COLUMN, "\u25a1");
}

/** A line cut to so many columns, coloured or not. Cut before it is coloured, so that no escape sequence is halved. */
export function rendered(line: Line, columns: number, colors: "on" | "off"): string {
  let left = columns;
  let text = "";
  for (const span of line) {
    const shown = printable(span.text).slice(0, left);
    left -= shown.length;
    text +=
      colors === "off" || span.style === undefined || shown === ""
        ? shown
        : styleText(span.style, shown, { validateStream: false });
  }
  return text;
}

/** Columns a line takes without being cut. */
export function widthOf(line: Line): number {
  return line.reduce((sum, { text }) => sum + printable(text).length, 0);
}
