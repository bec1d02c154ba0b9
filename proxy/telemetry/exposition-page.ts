import { type Metric, type OpenMetricsContentType, Registry } from "prom-client";
import type { Exemplar, Families, Histogram, Labels } from "./families.ts";
import { NATIVE_CONTENT_TYPE, nativePage } from "./native-page.ts";
import { type MetricName, type MetricRow, metricTable } from "./metric-table.ts";

/** What a scraper may ask for by `Accept`. */
export type PageForm = "prometheus" | "openmetrics" | "protobuf";

export interface Page {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

const CONTENT_TYPES = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const;

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

/**
 * What the scraper likes best of what we can: protobuf is asked for first by a Prometheus that takes native histograms,
 * OpenMetrics by every one since 2.5; exemplars travel in both.
 */
export function formOf(accept: string = ""): PageForm {
  if (accept.includes("proto=io.prometheus.client.MetricFamily")) return "protobuf";
  return accept.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

/** The page in one of its forms; the text ones are prom-client's writing, the numbers are ours. */
export async function writePage(families: Families, form: PageForm): Promise<Page> {
  if (form === "protobuf")
    return { body: new Uint8Array(nativePage(families)), contentType: NATIVE_CONTENT_TYPE };
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
  return { body: await registry.metrics(), contentType: registry.contentType };
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
