import { columns, resultPoints } from "./column.ts";
import type { Report } from "./report.ts";

/** A spreadsheet takes text that begins like this for a formula (OWASP, CSV injection). */
const FORMULA = /^[=+\-@\t\r]/;

/** One row per point, flat names (RFC 4180). Text that a spreadsheet would run begins with an apostrophe. */
export const csv: Report = {
  name: "csv",
  file: "points.csv",
  write({ summary }) {
    const rows = resultPoints(summary).map((point) =>
      columns.map((column) => cell(column.of(point, summary))).join(","),
    );
    return `${[columns.map(({ name }) => name).join(","), ...rows].join("\r\n")}\r\n`;
  },
};

/** A value as a CSV cell; empty for what is not known. */
export function cell(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
