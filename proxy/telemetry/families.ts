import { type MetricName, type MetricRow, metricTable } from "./metric-table.ts";
import { Sketch } from "./sketch.ts";

export type Labels = Readonly<Record<string, string>>;

/** Label sets of one family; beyond it model and replica fold into `other`, so a wide fleet cannot drown its scraper. */
export const LABEL_SETS_MAX = 200;
/** Labels that fold; the others come from closed lists. */
const FOLDING = ["model", "replica", "reason", "result", "subject"] as const;

/** A value seen in a bucket, with the trace it belongs to (OpenMetrics 1.0, "Exemplars"). */
export interface Exemplar {
  readonly traceId: string;
  readonly valueSeconds: number;
  readonly atMs: number;
}

/** The trace a value belongs to. */
export type Example = Pick<Exemplar, "traceId" | "atMs">;

/** One counter or gauge. */
export interface Value {
  readonly labels: Labels;
  value: number;
}

/** One histogram since start: its classic buckets, and the same values as an exponential histogram. */
export interface Histogram {
  readonly labels: Labels;
  /** Per bucket, not yet cumulative; the last one is +Inf. */
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | null)[];
  /** In ms, like every sketch. */
  readonly sketch: Sketch;
}

/** All families since start. What a request costs here is a few additions; pages are made when somebody asks. */
export class Families {
  readonly #values = new Map<MetricName, Map<string, Value>>();
  readonly #histograms = new Map<MetricName, Map<string, Histogram>>();
  readonly #buckets = new Map<MetricName, readonly number[]>();

  /** `thresholdsSeconds`: objectives, whose borders are added so that attainment can be read off exactly. */
  constructor(thresholdsSeconds: Partial<Readonly<Record<MetricName, readonly number[]>>> = {}) {
    for (const [name, row] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
      if (row.type !== "histogram") {
        this.#values.set(name, new Map());
        continue;
      }
      const borders = new Set([...(row.buckets ?? []), ...(thresholdsSeconds[name] ?? [])]);
      this.#buckets.set(
        name,
        [...borders].toSorted((a, b) => a - b),
      );
      this.#histograms.set(name, new Map());
    }
  }

  add(name: MetricName, labels: Labels, by = 1): void {
    this.value(name, labels).value += by;
  }

  set(name: MetricName, labels: Labels, value: number | null): void {
    if (value !== null) this.value(name, labels).value = value;
  }

  /** Forgets a gauge's values: what is not set again is not there any more. */
  reset(name: MetricName): void {
    this.#values.get(name)?.clear();
  }

  observeIn(
    name: MetricName,
    histogram: Histogram,
    valueMs: number,
    example: Example | null = null,
  ): void {
    const ms = Math.max(0, valueMs);
    const bucket = bucketOf(this.bucketsOf(name), ms / 1_000);
    histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
    histogram.sketch.add(ms);
    if (example !== null) histogram.exemplars[bucket] = { ...example, valueSeconds: ms / 1_000 };
  }

  /** A whole distribution. A bin that lies across a border counts above it, which is off by less than its width, 1.1 %. */
  spreadIn(name: MetricName, histogram: Histogram, sketch: Sketch): void {
    const borders = this.bucketsOf(name);
    for (const [upperMs, count] of sketch.upperBorders()) {
      const bucket = bucketOf(borders, upperMs / 1_000);
      histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + count;
    }
    histogram.sketch.merge(sketch);
  }

  /** Borders of a histogram in seconds, ascending, without +Inf. */
  bucketsOf(name: MetricName): readonly number[] {
    return this.#buckets.get(name) ?? [];
  }

  values(name: MetricName): Iterable<Value> {
    return this.#values.get(name)?.values() ?? [];
  }

  histograms(name: MetricName): Iterable<Histogram> {
    return this.#histograms.get(name)?.values() ?? [];
  }

  /** Lines a scrape gives: what a scraper has to store. */
  get series(): number {
    let series = 0;
    for (const values of this.#values.values()) series += values.size;
    for (const [name, histograms] of this.#histograms)
      series += histograms.size * (this.bucketsOf(name).length + 3);
    return series;
  }

  /** The line with these labels; a counter's stays the same for good. */
  value(name: MetricName, labels: Labels): Value {
    const held = this.#values.get(name) as Map<string, Value>;
    return entry(held, labels, (bounded) => ({ labels: bounded, value: 0 }));
  }

  histogram(name: MetricName, labels: Labels): Histogram {
    const held = this.#histograms.get(name) as Map<string, Histogram>;
    const buckets = this.bucketsOf(name).length + 1;
    return entry(held, labels, (bounded) => ({
      labels: bounded,
      counts: new Float64Array(buckets),
      exemplars: Array.from({ length: buckets }, () => null),
      sketch: new Sketch(),
    }));
  }
}

/** The entry of a label set, made when there is room for it, else that of its folded form. */
function entry<T>(held: Map<string, T>, labels: Labels, make: (labels: Labels) => T): T {
  const key = keyOf(labels);
  const found = held.get(key);
  if (found !== undefined) return found;
  if (held.size < LABEL_SETS_MAX) {
    const made = make(labels);
    held.set(key, made);
    return made;
  }
  const folded: Record<string, string> = { ...labels };
  for (const name of FOLDING) if (name in folded) folded[name] = "other";
  const foldedKey = keyOf(folded);
  const last = held.get(foldedKey) ?? make(folded);
  held.set(foldedKey, last);
  return last;
}

function keyOf(labels: Labels): string {
  let key = "";
  for (const name in labels) key += `${labels[name]}\u0000`;
  return key;
}

/** The first bucket whose border is at or above the value (`le`); the one after the last border is +Inf. */
function bucketOf(borders: readonly number[], value: number): number {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (borders[middle] ?? Infinity)) high = middle;
    else low = middle + 1;
  }
  return low;
}
