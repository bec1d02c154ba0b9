import { resultPoints } from "./column.ts";
import { drawPlot } from "./charts/plot.ts";
import { sweepPlots } from "./charts/sweep-plots.ts";
import { caveatOf, figure, hasFirstAnswers, loadOf, ms } from "./figures.ts";
import type { Report, ReportInput } from "./report.ts";
import { STYLE } from "./style.ts";
import { escapeXml } from "./xml.ts";

/** One file that opens anywhere, offline: pictures, tables, and the data itself, no script. */
export const html: Report = {
  name: "html",
  file: "report.html",
  write(input) {
    const { summary } = input;
    const { subject } = summary;
    const title = `${subject.model} on ${subject.engine} ${subject.engineVersion ?? ""}`.trim();
    return [
      "<!doctype html>",
      '<html lang="en"><head><meta charset="utf-8">',
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      `<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
      `<title>${escapeXml(title)} – Pitot sweep</title><style>${STYLE}</style></head><body><main>`,
      `<h1>${escapeXml(title)}</h1>`,
      `<p class="headline">${escapeXml(summary.headline)}</p>`,
      summary.valid
        ? ""
        : `<p class="invalid" role="alert">Invalid: ${escapeXml(summary.invalidBecause ?? "")}</p>`,
      verdicts(input),
      ...summary.shapes.map(
        (shape) =>
          `<section><h2>${escapeXml(shape.shape)} tokens in and out</h2>${skipped(shape.skippedBecause)}${capacities(shape.capacities)}<div class="plots">${sweepPlots(shape).map(drawPlot).join("\n")}</div></section>`,
      ),
      points(input),
      provenance(input),
      "</main></body></html>",
      "",
    ].join("\n");
  },
};

function skipped(because: string | null): string {
  return because === null ? "" : `<p>Not measured: ${escapeXml(because)}</p>`;
}

function verdicts({ thresholds, comparison }: ReportInput): string {
  const rows = thresholds.map(({ text, verdict, sentence }) => [verdict, text, sentence]);
  const judged =
    rows.length === 0 ? "" : table("Conditions", ["verdict", "fails if", "found"], rows);
  if (comparison === null) return judged;
  const changed = comparison.rows
    .filter(({ verdict }) => verdict !== "same")
    .map(({ shape, load, sentence }) => [shape, load, sentence]);
  const warnings = comparison.warnings.map((warning) => `<li>${escapeXml(warning)}</li>`).join("");
  return `${judged}<section><h2>Against ${escapeXml(comparison.beforeRunId)}</h2><p>${escapeXml(comparison.sentence)}</p><ul>${warnings}</ul>${changed.length === 0 ? "" : table("Changes", ["shape", "load", "change"], changed)}</section>`;
}

function capacities(found: ReportInput["summary"]["shapes"][number]["capacities"]): string {
  if (found.length === 0) return "";
  return table(
    "Capacity of one replica",
    ["objective", "verdict", "highest rate shown to pass", "lowest shown to fail", "in words"],
    found.map((capacity) => [
      capacity.objective,
      capacity.verdict,
      rate(capacity.passRatePerSecond),
      rate(capacity.failRatePerSecond),
      capacity.sentence,
    ]),
  );
}

function points({ summary }: ReportInput): string {
  const shown = resultPoints(summary);
  const reasons = shown.some(hasFirstAnswers);
  const rows = shown.map((point) => [
    point.shape,
    point.stage,
    loadOf(point),
    figure(point.completedRatePerSecond),
    figure(point.outputTokensPerSecond),
    ms(point.ttftMs.p50),
    ms(point.ttftMs.p95),
    ms(point.ttftMs.p99),
    ...(reasons ? [ms(point.ttfotMs?.p50 ?? null)] : []),
    ms(point.tpotMs.p50),
    ms(point.e2eMs.p50),
    String(point.n),
    String(point.failed),
    caveatOf(point),
  ]);
  const head = [
    "shape",
    "stage",
    "load",
    "req/s",
    "out tok/s",
    "TTFT p50",
    "p95",
    "p99",
    ...(reasons ? ["TTFOT p50"] : []),
    "TPOT p50",
    "E2E p50",
    "n",
    "failed",
    "",
  ];
  return `<section><h2>Every point</h2>${table("Points", head, rows)}</section>`;
}

function provenance({ summary, command }: ReportInput): string {
  const { generator, subject } = summary;
  const facts = [
    ["run", `${summary.runId}, preset ${summary.preset}, seed ${summary.seed}`],
    [
      "measured",
      `${subject.target}, ${summary.startedAt} to ${summary.endedAt}, ${summary.requests} requests`,
    ],
    ["prompts", summary.prompts],
    [
      "generator",
      `sends at most ${ms(generator.sendLagP99Ms)} late (p99), loop delay ${ms(generator.loopDelayP99Ms)} (p99), ${generator.cpuShare === null ? "—" : `${(generator.cpuShare * 100).toFixed(0)} %`} of a core`,
    ],
    [
      "how counted",
      "latency from the planned send; TTFT to the first non-empty token, TTFOT to the first that is no reasoning; TPOT (last − first) / (n − 1); percentiles by order statistics with 95 % intervals; “—” where too few requests carry one",
    ],
  ];
  const list = facts.map(
    ([name = "", fact = ""]) => `<dt>${escapeXml(name)}</dt><dd>${escapeXml(fact)}</dd>`,
  );
  return `<section><h2>Where these figures come from</h2><dl>${list.join("")}</dl><pre>${escapeXml(command)}</pre></section>`;
}

function rate(value: number | null): string {
  return value === null ? "—" : `${figure(value)} req/s`;
}

function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = (tag: "th" | "td", row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}${tag === "th" ? ' scope="col"' : ""}>${escapeXml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeXml(caption)}"><table><caption>${escapeXml(caption)}</caption><thead>${cells("th", head)}</thead><tbody>${rows.map((row) => cells("td", row)).join("")}</tbody></table></div>`;
}
