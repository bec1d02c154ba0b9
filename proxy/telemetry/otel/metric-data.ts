import { type Attributes, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type ExponentialHistogram,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { Families, Labels } from "../families.ts";
import { type MetricName, type MetricRow, metricTable } from "../metric-table.ts";
import type { OtlpOptions } from "../options.ts";
import { MS_TO_SECONDS_BINS, SCALE, type Sketch } from "../sketch.ts";
import { ATTRIBUTE_OF, otelName } from "./conventions.ts";
import { hrTime, SCOPE } from "./spans.ts";

/** Buckets of a histogram at most, as the SDK has it; a wider range is told at half the resolution, and again. */
const BUCKETS_MAX = 160;

export interface MetricSource {
  readonly families: Families;
  readonly resource: Resource;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly conventions: NonNullable<OtlpOptions["conventions"]>;
}

/** All families since start as OpenTelemetry's cumulative data; histograms are exponential, bin for bin. */
export function metricData(source: MetricSource): ResourceMetrics {
  const metrics = (Object.entries(metricTable) as [MetricName, MetricRow][])
    .map(([name, row]) => familyData(source, name, row))
    .filter((metric) => metric.dataPoints.length > 0);
  return { resource: source.resource, scopeMetrics: [{ scope: SCOPE, metrics }] };
}

function familyData(source: MetricSource, name: MetricName, row: MetricRow): MetricData {
  const { families, conventions } = source;
  const base = {
    descriptor: {
      name: otelName(name, conventions),
      description: row.help,
      unit: unitOf(name),
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(labels: Labels, value: T): DataPoint<T> => ({
    startTime: hrTime(source.startedMs),
    endTime: hrTime(source.nowMs),
    attributes: attributesOf(labels),
    value,
  });
  if (row.type === "histogram") {
    const dataPoints = [...families.histograms(name)].map(({ labels, sketch }) =>
      point(labels, exponential(sketch)),
    );
    return { ...base, dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM, dataPoints };
  }
  const dataPoints = [...families.values(name)].map(({ labels, value }) => point(labels, value));
  return row.type === "counter"
    ? { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** Bin i holds (γ^(i−1), γ^i], OpenTelemetry's bucket k holds (base^k, base^(k+1)]: k = i − 1. */
export function exponential(sketch: Sketch): ExponentialHistogram {
  let scale = SCALE;
  let buckets: [number, number][] = [];
  const bins = sketch.bins();
  for (let index = 0; index + 1 < bins.length; index += 2)
    buckets.push([(bins[index] ?? 0) - 1 - MS_TO_SECONDS_BINS, bins[index + 1] ?? 0]);
  while ((buckets.at(-1)?.[0] ?? 0) - (buckets[0]?.[0] ?? 0) >= BUCKETS_MAX) {
    // Two neighbours make one bucket of the next coarser scale.
    buckets = buckets.map(([bucket, count]) => [Math.floor(bucket / 2), count]);
    scale--;
  }
  const offset = buckets[0]?.[0] ?? 0;
  const bucketCounts = Array.from(
    { length: buckets.length === 0 ? 0 : (buckets.at(-1)?.[0] ?? 0) - offset + 1 },
    () => 0,
  );
  for (const [bucket, count] of buckets)
    bucketCounts[bucket - offset] = (bucketCounts[bucket - offset] ?? 0) + count;
  return {
    count: sketch.count,
    sum: sketch.sum / 1_000,
    scale,
    zeroCount: 0,
    positive: { offset, bucketCounts },
    negative: { offset: 0, bucketCounts: [] },
  };
}

function attributesOf(labels: Labels): Attributes {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [ATTRIBUTE_OF[name] ?? `pitot.${name}`, value]),
  );
}

function unitOf(name: MetricName): string {
  if (name.endsWith("_seconds")) return "s";
  if (name.includes("_tokens_")) return "{token}";
  return name.includes("requests") ? "{request}" : "1";
}
