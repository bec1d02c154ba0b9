import { average, neighbourCorrelation, variance } from "./batch-means.ts";
import { studentQuantile } from "./student.ts";

/** Batches whose highest values are looked at. */
const BATCHES = 16;
/** So many of them must be independent: a spread of fewer is no spread. */
const INDEPENDENT_MIN = 2;

/**
 * Whether the highest value of a next batch would, with `confidence`, still lie below 1, judging by how far below it and
 * how much alike those of sixteen batches were: a prediction bound on their logarithms, batches that resemble their
 * neighbours counted for what they are worth. Where nothing ever reached a limit, counting says only that it is rare;
 * the distance kept says more.
 */
export function staysBelowOne(values: Float64Array, confidence: number): boolean {
  if (values.length < BATCHES) return false;
  const size = values.length / BATCHES;
  const highest = Array.from({ length: BATCHES }, (_, batch) =>
    Math.log(
      Math.max(...values.subarray(Math.floor(batch * size), Math.floor((batch + 1) * size))),
    ),
  );
  const r = Math.max(0, (neighbourCorrelation(highest) + 1 / BATCHES) / (1 - 3 / BATCHES));
  const worth = (BATCHES * (1 - r)) / (1 + r);
  if (worth < INDEPENDENT_MIN) return false;
  // Batches that move together spread less than they would over a longer time.
  const spread = (variance(highest) * (1 - 1 / BATCHES)) / (1 - 1 / worth);
  const reach = studentQuantile(confidence, worth - 1) * Math.sqrt(spread * (1 + 1 / worth));
  return average(highest) + reach < 0;
}
