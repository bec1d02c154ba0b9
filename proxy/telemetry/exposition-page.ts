import { type Metric, type OpenMetricsContentType, Registry } from "prom-client";
import type { Exemplar, Families, Histogram, Labels } from "./families.ts";
import { type MetricName, type MetricRow, metricTable } from "./metric-table.ts";

/** What a scraper may ask for by `Accept`. */
export type PageForm = "prometheus" | "openmetrics";

const CONTENT_TYPES = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const satisfies Record<PageForm, string>;

/** One line as prom-client writes it. */
interface Line {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
  readonly exemplar?: {
    readonly labelSet: Labels;
    readonly value: number;
    readonly timestamp: number;
  };
}

/** OpenMetrics when the scraper prefers it, as Prometheus does since 2.5; exemplars travel only there. */
export function formOf(accept: string | undefined): PageForm {
  return accept?.includes("application/openmetrics-text") === true ? "openmetrics" : "prometheus";
}

/** The page in one of its forms; prom-client writes it, the numbers are ours. */
export async function writePage(
  families: Families,
  form: PageForm,
): Promise<{ readonly text: string; readonly contentType: string }> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(CONTENT_TYPES[form] as OpenMetricsContentType);
  for (const [name, row] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
    const family = {
      // prom-client takes `_total` off this for OpenMetrics and puts it back on every line.
      name: name as string,
      type: row.type,
      get: () =>
        Promise.resolve({
          name: family.name,
          help: row.help,
          type: row.type,
          values: linesOf(families, name, row),
        }),
    };
    registry.registerMetric(family as unknown as Metric);
  }
  return { text: await registry.metrics(), contentType: registry.contentType };
}

function linesOf(families: Families, name: MetricName, { type }: MetricRow): Line[] {
  if (type !== "histogram")
    return [...families.values(name)].map(({ labels, value }) => ({
      labels: { ...labels },
      value,
    }));
  const borders = families.bucketsOf(name);
  return [...families.histograms(name)].flatMap((one) => histogramLines(name, one, borders));
}

function histogramLines(name: string, histogram: Histogram, borders: readonly number[]): Line[] {
  const { labels, counts, exemplars, sketch } = histogram;
  let sum = 0;
  const lines = [...counts].map((count, index): Line => {
    sum += count;
    const exemplar = exemplars[index] ?? null;
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: borders[index] ?? "+Inf" },
      value: sum,
      ...(exemplar === null ? {} : { exemplar: written(exemplar) }),
    };
  });
  lines.push({ metricName: `${name}_sum`, labels: { ...labels }, value: sketch.sum / 1_000 });
  lines.push({ metricName: `${name}_count`, labels: { ...labels }, value: sum });
  return lines;
}

function written({ traceId, valueSeconds, atMs }: Exemplar): NonNullable<Line["exemplar"]> {
  return { labelSet: { trace_id: traceId }, value: valueSeconds, timestamp: atMs / 1_000 };
}
