import { resultPoints } from "./column.ts";
import { caveatOf, figure, hasFirstAnswers, loadOf, ms } from "./figures.ts";
import type { Report, ReportInput } from "./report.ts";

/** For a pull request or a job's summary page. */
export const markdown: Report = {
  name: "md",
  file: "report.md",
  write(input) {
    const { summary, command } = input;
    const { subject } = summary;
    const parts = [
      `## ${text(subject.model)} on ${text(subject.engine)} ${text(subject.engineVersion ?? "")}`.trimEnd(),
      summary.headline,
      summary.valid ? "" : `> **Invalid:** ${text(summary.invalidBecause ?? "")}`,
      thresholds(input),
      comparison(input),
      capacities(input),
      points(input),
      `Run \`${summary.runId}\`, preset ${summary.preset}, seed ${summary.seed}, ${summary.requests} requests, ${summary.startedAt}. Latency counts from the planned send; a percentile too few requests carry is "—".`,
      `\`\`\`\n${command}\n\`\`\``,
    ];
    return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
  },
};

function thresholds(input: ReportInput): string {
  if (input.thresholds.length === 0) return "";
  const rows = input.thresholds.map(({ text: name, verdict, sentence }) => [
    verdict === "breached" ? "❌" : verdict === "held" ? "✅" : "❔",
    `\`${name}\``,
    text(sentence),
  ]);
  return table(["", "fails if", "found"], rows);
}

function comparison({ comparison: found }: ReportInput): string {
  if (found === null) return "";
  const rows = found.rows
    .filter(({ verdict }) => verdict !== "same")
    .map(({ shape, load, quantity, sentence }) => [shape, load, quantity, text(sentence)]);
  return [
    text(found.sentence),
    rows.length === 0 ? "" : table(["shape", "load", "figure", "change"], rows),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function capacities({ summary }: ReportInput): string {
  const rows = summary.shapes.flatMap(({ shape, capacities: found }) =>
    found.map(({ objective, sentence }) => [shape, `\`${objective}\``, text(sentence)]),
  );
  return rows.length === 0 ? "" : table(["shape", "objective", "capacity of one replica"], rows);
}

function points({ summary }: ReportInput): string {
  const shown = resultPoints(summary);
  const reasons = shown.some(hasFirstAnswers);
  const rows = shown.map((point) => [
    point.shape,
    loadOf(point),
    figure(point.completedRatePerSecond),
    figure(point.outputTokensPerSecond),
    ms(point.ttftMs.p50),
    ms(point.ttftMs.p95),
    ...(reasons ? [ms(point.ttfotMs?.p50 ?? null)] : []),
    ms(point.tpotMs.p50),
    ms(point.e2eMs.p50),
    String(point.n),
    String(point.failed),
    text(caveatOf(point)),
  ]);
  return table(
    [
      "shape",
      "load",
      "req/s",
      "out tok/s",
      "TTFT p50",
      "p95",
      ...(reasons ? ["TTFOT p50"] : []),
      "TPOT p50",
      "E2E p50",
      "n",
      "failed",
      "",
    ],
    rows,
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** Text that may come from an engine, kept from becoming markup. */
function text(value: string): string {
  return value.replaceAll(/[\r\n]+/g, " ").replaceAll(/[|<>`*_[\]\\]/g, (char) => `\\${char}`);
}
