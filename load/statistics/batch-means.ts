import { CONFIDENCE } from "./order-interval.ts";
import { studentQuantile } from "./student.ts";

/** A mean with the half width of its 95 % interval, autocorrelation taken into account. */
export interface MeanEstimate {
  readonly mean: number;
  readonly halfWidth: number;
}

/** Batches of a run: enough for a variance, few enough that each is longer than the memory of the queue. */
const BATCHES = 10;
/** When neighbouring batches still resemble each other they were too short: fewer, longer ones. */
const BATCHES_CORRELATED = 5;
const CORRELATION_MAX = 0.4;

/** Mean of a series whose neighbours are not independent, by batch means. `null` with fewer values than batches. */
export function batchMeans(values: ArrayLike<number>): MeanEstimate | null {
  const batches = batchesOf(values);
  if (batches === null) return null;
  const mean = average(batches);
  const t = studentQuantile((1 + CONFIDENCE) / 2, batches.length - 1);
  return { mean, halfWidth: (t * Math.sqrt(variance(batches))) / Math.sqrt(batches.length) };
}

/** Batch averages: ten, or five when ten are still correlated. */
export function batchesOf(values: ArrayLike<number>): readonly number[] | null {
  if (values.length < BATCHES) return null;
  const ten = split(values, BATCHES);
  return neighbourCorrelation(ten) > CORRELATION_MAX ? split(values, BATCHES_CORRELATED) : ten;
}

/** Means of `count` batches of nearly equal length. */
export function split(values: ArrayLike<number>, count: number): readonly number[] {
  return Array.from({ length: count }, (_, batch) => {
    const from = Math.floor((batch * values.length) / count);
    const to = Math.floor(((batch + 1) * values.length) / count);
    let sum = 0;
    for (let index = from; index < to; index++) sum += values[index] ?? 0;
    return sum / (to - from);
  });
}

export function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] ?? 0;
  return sum / values.length;
}

/** Unbiased sample variance; 0 for fewer than two values. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return 0;
  const mean = average(values);
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += ((values[index] ?? 0) - mean) ** 2;
  return sum / (values.length - 1);
}

/** Lag-one autocorrelation. */
export function neighbourCorrelation(values: readonly number[]): number {
  const mean = average(values);
  const spread = variance(values) * (values.length - 1);
  if (spread === 0) return 0;
  let sum = 0;
  for (let index = 1; index < values.length; index++) {
    sum += ((values[index] ?? 0) - mean) * ((values[index - 1] ?? 0) - mean);
  }
  return sum / spread;
}
