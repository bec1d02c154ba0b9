import { type MetricRow, metricTable } from "../metric-table.ts";

/** What each label can hold; all of them are bounded. */
const LABELS: Readonly<Record<string, string>> = {
  model: "a model some replica serves, or `other`",
  replica: "id of a replica, `none` when none was reached, or `other`",
  origin: "`real`, `synthetic` (sweeps) or `probe`; figures for users never mix them",
  outcome: "`completed`, `rejected`, `failed`, `cut` or `cancelled`",
  verdict: "`none`, `ttft`, `tpot` or `both`: the goodput target that was missed",
  counted_by: "how tokens were counted: `usage`, `token-ids`, `timings`, `tokenizer`, `events`",
  result: "`answered`, or the code that ended the try",
  policy: "name of the routing policy",
  reason: "what decided the choice",
  priority: "0 is the highest",
  cause: "why nobody wanted them: `client_left`",
  slo: "name of the promise",
  window: "length of the window: `5m`, `1h`, `28d`",
  sink: "`log`, `otlp` or `webhook`",
  release: "version of Pitot",
};

/** `docs/metrics.md`. */
export function metricsReference(): string {
  const rows = Object.entries(metricTable as Record<string, MetricRow>);
  const table = rows.map(
    ([name, { type, labels, help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ") || "–"} | ${help} |`,
  );
  const histograms = rows
    .filter(([, row]) => row.buckets !== undefined)
    .map(([name, row]) => `- \`${name}\`: ${row.buckets?.join(", ")}`);
  const used = new Set(rows.flatMap(([, row]) => row.labels));
  const labels = Object.entries(LABELS)
    .filter(([label]) => used.has(label))
    .map(([label, meaning]) => `- \`${label}\`: ${meaning}`);
  return `# Metrics

Written by \`npm run docs:metrics\` from \`proxy/telemetry/metric-table.ts\`; a test holds this page against it.

\`GET /metrics\` on the control plane: Prometheus text; when \`Accept\` asks for it, OpenMetrics with exemplars (the trace id of a request
in its bucket), or protobuf with native histograms (schema 6) beside the classic buckets. Base units; label sets are bounded at 200 a family, beyond which model and replica fold into \`other\`.
Over OTLP the same families come as exponential histograms of scale 6. Board: [grafana/pitot.json](grafana/pitot.json); rules:
[prometheus/rules.yaml](prometheus/rules.yaml), those of your own promises at \`GET /api/v1/slos/rules.yaml\`.

| name | type | labels | meaning |
| --- | --- | --- | --- |
${table.join("\n")}

## Labels

${labels.join("\n")}

## Buckets, in seconds

The thresholds of promises and of goodput are added, so that attainment is read off a border and not guessed.

${histograms.join("\n")}
`;
}
