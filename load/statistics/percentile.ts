/**
 * Percentile `q` (0 … 1) of sorted values by linear interpolation between ranks (Hyndman and Fan's type 7, the
 * default of R and NumPy). `null` when there are none. Values may end in `Infinity`, for "longer than waited for".
 */
export function percentile(sorted: readonly number[], q: number): number | null {
  if (sorted.length === 0) return null;
  const rank = q * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? 0;
  const above = sorted[Math.ceil(rank)] ?? below;
  const part = rank - Math.floor(rank);
  return part === 0 || below === above ? below : below + (above - below) * part;
}

/** Values in ascending order, as {@link percentile} wants them. */
export function ascending(values: Iterable<number>): number[] {
  // Numbers sort several times faster in a typed array than through a comparison.
  return Array.from(Float64Array.from(values).sort());
}

/**
 * Samples a percentile needs before it is printed: enough that, with 99 % confidence, the estimate is not simply the
 * largest value (the early-stopping floors of mlcommons/endpoints, docs/early_stopping.md).
 */
const SAMPLES_NEEDED: readonly (readonly [q: number, n: number])[] = [
  [0.5, 11],
  [0.75, 24],
  [0.9, 64],
  [0.95, 130],
  [0.99, 662],
  [0.999, 6636],
];

/** The floor for percentile `q`: that of the next one listed. */
export function samplesNeeded(q: number): number {
  return SAMPLES_NEEDED.find(([listed]) => listed >= q)?.[1] ?? Infinity;
}
