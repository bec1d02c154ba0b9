import type { Random } from "../random.ts";

/** Speculative decoding: a small model drafts, the large one verifies all drafts in one step. */
export interface Speculation {
  /** Tokens drafted a step. */
  readonly drafts: number;
  /** Chance that a draft is right, given that all before it were. */
  readonly acceptance: number;
}

/**
 * Host and draft model, ms: once a step and once per draft. Measured with EAGLE-3 on Qwen3-8B-FP8, SGLang 0.5.3, one
 * H100 at four users (gpustack/gpustack docs/performance-lab/qwen3-8b/h100-latency.md).
 */
export const VERIFY_MS = 2.9;
export const DRAFT_MS = 0.69;

/** Tokens one sequence gains in a step: the verifier's own and the drafts accepted before the first wrong one. */
export function tokensGained({ drafts, acceptance }: Speculation, random: Random): number {
  let gained = 1;
  while (gained <= drafts && random.next() < acceptance) gained++;
  return gained;
}

/** Mean of {@link tokensGained}. */
export function tokensPerStep({ drafts, acceptance }: Speculation): number {
  return acceptance === 1 ? drafts + 1 : (1 - acceptance ** (drafts + 1)) / (1 - acceptance);
}
