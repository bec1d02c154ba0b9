import type { ComparisonRow } from "../../load/results/compare.ts";
import type { JudgedSummary } from "../../load/results/judged-summary.ts";

/** What conditions and baseline say of a run, a line each; none when nothing was asked. */
export function verdictLines({
  thresholds,
  comparison,
}: Pick<JudgedSummary, "thresholds" | "comparison">): readonly string[] {
  const lines = thresholds.map(({ text, verdict, sentence }) => {
    return `${verdict.padEnd(9)}  fails if ${text}: ${sentence}`;
  });
  if (comparison === null) return lines;
  const { beforeRunId, sentence, rows, warnings } = comparison;
  return [
    ...lines,
    `against ${beforeRunId}: ${sentence}`,
    ...warnings.map((warning) => `  not the same: ${warning}`),
    ...changeRows(rows.filter(({ verdict }) => verdict !== "same")).map((row) => `  ${row}`),
  ];
}

/** The same as lines of `--jsonl`, after the run's own events. */
export function verdictEvents({
  thresholds,
  comparison,
}: Pick<JudgedSummary, "thresholds" | "comparison">): readonly object[] {
  const judged = thresholds.map((threshold) => ({ kind: "threshold", ...threshold }));
  return comparison === null ? judged : [...judged, { kind: "comparison", ...comparison }];
}

/** Rows in columns: shape, load, what changed. */
export function changeRows(rows: readonly ComparisonRow[]): readonly string[] {
  const width = (of: (row: ComparisonRow) => string): number =>
    Math.max(0, ...rows.map((row) => of(row).length));
  const [shapes, loads] = [width(({ shape }) => shape), width(({ load }) => load)];
  return rows.map(
    ({ shape, load, sentence }) => `${shape.padEnd(shapes)}  ${load.padEnd(loads)}  ${sentence}`,
  );
}
