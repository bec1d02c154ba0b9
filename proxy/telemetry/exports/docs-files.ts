import type { SloOptions } from "../options.ts";
import { grafanaBoard } from "./grafana-board.ts";
import { metricsReference } from "./metrics-reference.ts";
import { prometheusRules } from "./prometheus-rules.ts";

/** The promise shown in the shipped rules; `GET /api/v1/slos/rules.yaml` tells those of a running proxy. */
const EXAMPLE: SloOptions = {
  name: "chat-first-token",
  objective: 0.95,
  match: { route: "chat" },
  targets: [{ metric: "ttft", belowMs: 300 }],
  windowMs: 28 * 24 * 3_600_000,
};

/** Every file under `docs/` that follows from the metric table, by its path. */
export function docsFiles(): Readonly<Record<string, string>> {
  const rules = prometheusRules([EXAMPLE]);
  return {
    "docs/metrics.md": metricsReference(),
    "docs/grafana/pitot.json": grafanaBoard(),
    "docs/prometheus/rules.yaml": `# Written by \`npm run docs:metrics\`. The last group is an example: your own promises are at /api/v1/slos/rules.yaml.\n${rules}`,
  };
}
