import type { Exemplar, Families, Histogram, Labels } from "./families.ts";
import { type MetricName, type MetricRow, metricTable } from "./metric-table.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { MS_TO_SECONDS_BINS, SCALE } from "./sketch.ts";

/** How Prometheus asks for native histograms, and how it is answered. */
export const NATIVE_CONTENT_TYPE =
  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/** `MetricType` of prometheus/client_model io/prometheus/client/metrics.proto. */
const TYPES = { counter: 0, gauge: 1, histogram: 4 } as const;
/** Field of a metric that holds its value, by type. */
const VALUES = { counter: 3, gauge: 2, histogram: 7 } as const;

/**
 * The page in Prometheus' protobuf form: the only one that carries native histograms. They stand beside the classic
 * buckets, and the server takes the one it is set up for. Field numbers are those of metrics.proto.
 */
export function nativePage(families: Families): Buffer {
  const messages = (Object.entries(metricTable) as [MetricName, MetricRow][]).map(([name, row]) => {
    const family = new ProtobufWriter().text(1, name).text(2, row.help).uint(3, TYPES[row.type]);
    if (row.type === "histogram") {
      for (const one of families.histograms(name))
        family.message(
          4,
          metric(one.labels, VALUES.histogram, histogram(one, families.bucketsOf(name))),
        );
    } else {
      for (const { labels, value } of families.values(name))
        family.message(4, metric(labels, VALUES[row.type], new ProtobufWriter().double(1, value)));
    }
    return family.delimited();
  });
  return Buffer.concat(messages);
}

function metric(labels: Labels, field: number, value: ProtobufWriter): ProtobufWriter {
  const written = new ProtobufWriter();
  for (const pair of labelPairs(labels)) written.message(1, pair);
  return written.message(field, value);
}

function histogram(one: Histogram, borders: readonly number[]): ProtobufWriter {
  const { counts, exemplars, sketch } = one;
  const written = new ProtobufWriter().uint(1, sketch.count).double(2, sketch.sum / 1_000);
  let sum = 0;
  for (const [index, count] of counts.entries()) {
    sum += count;
    const bucket = new ProtobufWriter().uint(1, sum).double(2, borders[index] ?? Infinity);
    const exemplar = exemplars[index] ?? null;
    if (exemplar !== null) bucket.message(3, exemplarMessage(exemplar));
    written.message(3, bucket);
  }
  // A threshold of 0 would need a count of exact zeros, which a sketch puts into its smallest bin.
  written
    .sint(5, SCALE)
    .double(6, 2 ** -128)
    .uint(7, 0);
  return spans(written, sketch.bins());
}

/**
 * Runs of consecutive buckets, and each bucket's count as the difference to the one before. Prometheus' bucket i holds
 * (base^(i−1), base^i], as a sketch's bin does; only milliseconds become seconds.
 */
function spans(written: ProtobufWriter, bins: readonly number[]): ProtobufWriter {
  const runs: { offset: number; length: number }[] = [];
  const deltas: number[] = [];
  let next = 0;
  let before = 0;
  for (let index = 0; index + 1 < bins.length; index += 2) {
    const bucket = (bins[index] ?? 0) - MS_TO_SECONDS_BINS;
    const count = bins[index + 1] ?? 0;
    const run = runs.at(-1);
    if (run !== undefined && bucket === next) run.length++;
    else runs.push({ offset: run === undefined ? bucket : bucket - next, length: 1 });
    next = bucket + 1;
    deltas.push(count - before);
    before = count;
  }
  for (const { offset, length } of runs)
    written.message(12, new ProtobufWriter().sint(1, offset).uint(2, length));
  for (const delta of deltas) written.sint(13, delta);
  return written;
}

function exemplarMessage({ traceId, valueSeconds, atMs }: Exemplar): ProtobufWriter {
  const written = new ProtobufWriter();
  for (const pair of labelPairs({ trace_id: traceId })) written.message(1, pair);
  const seconds = Math.floor(atMs / 1_000);
  const at = new ProtobufWriter()
    .uint(1, seconds)
    .uint(2, Math.round((atMs - seconds * 1_000) * 1e6));
  return written.double(2, valueSeconds).message(3, at);
}

function labelPairs(labels: Labels): ProtobufWriter[] {
  return Object.entries(labels).map(([name, value]) =>
    new ProtobufWriter().text(1, name).text(2, value),
  );
}
