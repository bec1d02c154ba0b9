import { resultPoints } from "./column.ts";
import type { Report } from "./report.ts";

/** The whole document, with the verdicts that were asked for. */
export const json: Report = {
  name: "json",
  file: "report.json",
  write: ({ summary, thresholds, comparison }) =>
    `${JSON.stringify({ ...summary, thresholds, comparison }, null, 2)}\n`,
};

/** A line per point, capacity and verdict, each with its kind. */
export const jsonl: Report = {
  name: "jsonl",
  file: "report.jsonl",
  write({ summary, thresholds }) {
    const { runId, subject } = summary;
    const rows = [
      ...resultPoints(summary).map((point) => ({ kind: "point", runId, subject, ...point })),
      ...summary.shapes.flatMap(({ shape, capacities }) =>
        capacities.map((capacity) => ({ kind: "capacity", runId, shape, ...capacity })),
      ),
      ...thresholds.map((threshold) => ({ kind: "threshold", runId, ...threshold })),
    ];
    return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  },
};
