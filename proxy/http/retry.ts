import type { Random } from "../../engines/random.ts";
import type { FailureCause, Unanswered } from "./attempt-result.ts";
import type { RetryBudget, RetryBudgetOptions } from "./retry-budget.ts";

/** When a request that has not received a byte is tried again. */
export interface RetryOptions extends RetryBudgetOptions {
  /** Tries at one request in all, each at a replica not tried before. */
  readonly attemptsMax: number;
  /**
   * Also after a connection broke once the request was written. The engine may have begun on it, but generating has no
   * side effect worth protecting.
   */
  readonly onReset: boolean;
  /** First wait before a further try; doubled each time, drawn between nothing and all of it. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Bodies beyond this are sent once and let go. All that are kept are paid for from one account (body-budget.ts). */
  readonly replayBytesMax: number;
}

/** Three tries are the upper limit of Google's SRE book ("Addressing Cascading Failures"); 20 % is Envoy's default budget. */
export const RETRIES: RetryOptions = {
  attemptsMax: 3,
  budgetRatio: 0.2,
  budgetFloorPerSecond: 3,
  onReset: true,
  backoffMs: 50,
  backoffMsMax: 1_000,
  // As much as a request may have unless configured otherwise: the account over all requests is what bounds memory.
  replayBytesMax: 33_554_432,
};

/** Answers another replica may do better at: full or late ones, and engines that failed (RFC 9110 §15.5.9, §15.6). */
export const RETRY_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
/** Of those, the ones that say "not now": the engine is well, so its breaker does not hear of them. */
export const PUSHBACK_STATUSES: ReadonlySet<number> = new Set([408, 429, 503]);

/** `resend`: the same replica on a fresh socket. `now`, `later`: another replica, without or after a wait. */
export type NextStep = "resend" | "now" | "later" | "stop";

/** What is known of a request when one of its tries has failed. */
export interface RetryState {
  /** Tries made, a resend not counted. */
  readonly attempts: number;
  /** A stale socket was already forgiven once. */
  readonly resent: boolean;
  /** The body is still at hand. */
  readonly replayable: boolean;
  /** The client says it retries by itself: one of us is enough. */
  readonly clientRetries: boolean;
}

/**
 * Decides what a failed try leads to, taking from the budget what it costs. A refused connection and a stale socket
 * cost nothing: no engine has worked for them, so no engine can be flooded by them.
 */
export function nextStep(
  cause: FailureCause,
  state: RetryState,
  options: RetryOptions,
  budget: RetryBudget,
): NextStep {
  if (!state.replayable || cause === "own" || cause === "timeout") return "stop";
  if (cause === "stale" && !state.resent) return "resend";
  if (state.attempts >= options.attemptsMax) return "stop";
  if (cause === "refused" || cause === "disabled") return "now";
  if (state.clientRetries) return "stop";
  if ((cause === "reset" || cause === "stale") && !options.onReset) return "stop";
  return budget.spend() ? "later" : "stop";
}

/** The wait before try number `attempts + 1`: full jitter, so that requests that failed together do not return together. */
export function backoffMs(attempts: number, options: RetryOptions, random: Random): number {
  return random.next() * Math.min(options.backoffMsMax, options.backoffMs * 2 ** (attempts - 1));
}

/** The refusal to show when nobody did better: the one that lets the client come back soonest, else the last. */
export function bestOf(failures: readonly Unanswered[]): Unanswered | undefined {
  const soonest = failures
    .filter(({ held }) => held !== null && held.retryAfterMs !== null)
    .sort((a, b) => (a.held?.retryAfterMs ?? 0) - (b.held?.retryAfterMs ?? 0))[0];
  return soonest ?? failures.findLast(({ held }) => held !== null) ?? failures.at(-1);
}
