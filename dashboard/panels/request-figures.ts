import type { EndedRow, InFlightRow } from "../../proxy/live/frames.ts";
import type { FigureCell, Figures } from "../state/figures.ts";

/** Requests with everything that is known of each. */
export function requestFigures(name: string, rows: readonly (EndedRow | InFlightRow)[]): Figures {
  const columns = Object.keys(rows[0] ?? {});
  return {
    name,
    columns,
    rows: rows.map((row) => {
      const values = new Map<string, FigureCell>(Object.entries(row));
      return columns.map((column) => values.get(column) ?? null);
    }),
  };
}
