/**
 * Percentile `q` (0 … 1) of sorted values by linear interpolation between ranks (Hyndman and Fan's type 7, the
 * default of R and NumPy). `null` when there are none.
 */
export function percentile(sorted: readonly number[], q: number): number | null {
  if (sorted.length === 0) return null;
  const rank = q * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? 0;
  const above = sorted[Math.ceil(rank)] ?? below;
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Values in ascending order, as {@link percentile} wants them. */
export function ascending(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

/**
 * Samples a percentile needs so that one value lies above it with 99 % confidence: the smallest n with q^n ≤ 0.01
 * (mlcommons/endpoints, docs/early_stopping.md). Fewer, and it is not printed.
 */
export function samplesNeeded(q: number): number {
  return Math.ceil(Math.log(0.01) / Math.log(q));
}
