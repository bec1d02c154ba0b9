/** The numbers behind a picture, in plain units: what its table shows and its CSV holds. */
export interface Figures {
  /** Of the panel; becomes the file's name. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly FigureCell[])[];
}

export type FigureCell = string | number | null;

/** As a file of comma-separated values (RFC 4180). */
export function csvOf({ columns, rows }: Figures): string {
  return [columns, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

/** As text that pastes into the cells of a spreadsheet. */
export function tabbedOf({ columns, rows }: Figures): string {
  return [columns, ...rows]
    .map((row) =>
      row.map((cell) => String(safe(cell) ?? "").replaceAll(/[\t\r\n]+/g, " ")).join("\t"),
    )
    .join("\n");
}

/** Puts text on the clipboard; says whether it could. A board over plain HTTP has only the old way to do it. */
export async function copyText(text: string): Promise<boolean> {
  if (isSecureContext) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const before = document.activeElement;
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}

/** Hands a panel's figures to the reader as a file. */
export function download(figures: Figures): void {
  const blob = new Blob([csvOf(figures)], { type: "text/csv" });
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(blob),
    download: `pitot-${figures.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.csv`,
  });
  link.click();
  URL.revokeObjectURL(link.href);
}

function csvCell(value: FigureCell): string {
  const text = String(safe(value) ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Text a spreadsheet would run begins with an apostrophe. */
function safe(value: FigureCell): FigureCell {
  return typeof value === "string" && /^[=+\-@]/.test(value) ? `'${value}` : value;
}

/** A moment as every tool reads it. */
export function isoOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
