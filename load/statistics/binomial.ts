import { betaCdf, betaQuantile } from "./beta.ts";

/** P(K ≤ k) for K successes in `n` trials of probability `p`. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return betaCdf(1 - p, n - k, k + 1);
}

/**
 * One-sided Clopper–Pearson bounds of a share: the true share is above `lower`, and below `upper`, each with
 * `confidence`. Counts need not be whole, so that an effective sample size can be used.
 */
export function clopperPearson(
  successes: number,
  n: number,
  confidence: number,
): { readonly lower: number; readonly upper: number } {
  if (n <= 0) return { lower: 0, upper: 1 };
  const failures = n - successes;
  return {
    lower: successes <= 0 ? 0 : betaQuantile(1 - confidence, successes, failures + 1),
    upper: failures <= 0 ? 1 : betaQuantile(confidence, successes + 1, failures),
  };
}
