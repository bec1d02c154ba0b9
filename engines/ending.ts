import type { AnswerReader } from "./answer-reader.ts";
import type { Outcome, Phase } from "./exchange.ts";

/** How a caller says the exchange is over; what the answer itself said is taken into account. */
export type Ending =
  /** The upstream's body ended cleanly: the bytes decide between completed, cut, failed and rejected. */
  | { readonly kind: "answered" }
  | { readonly kind: "rejected"; readonly code: string; readonly status: number }
  /** Broke: `failed` when no output had been seen, else `cut`. */
  | { readonly kind: "broken"; readonly code: string; readonly status: number | null }
  | {
      readonly kind: "cancelled";
      /** Tokens the whole answer was going to have, as far as that can be guessed. */
      readonly expectedTokens?: number | null;
      /** Why its connection was closed, when it was not the client who closed it. */
      readonly cause?: "client_stall";
    };

/** What is known of an answer when its exchange ends. */
export interface Known {
  readonly phase: Phase;
  readonly status: number | null;
  /** Read to its end. */
  readonly answer: AnswerReader | null;
}

/** How it ended, from what the caller says and what the answer itself said. */
export function outcomeOf(ending: Ending, { phase, status, answer }: Known): Outcome {
  if (ending.kind === "rejected") return { kind: "rejected", code: ending.code };
  if (ending.kind === "cancelled") return { kind: "cancelled", phase };
  if (ending.kind === "broken") return broken(ending.code, answer);
  const code = `upstream_status_${status ?? 0}`;
  if (status === null || status >= 500 || status < 200) return { kind: "failed", code };
  if (status >= 400) return { kind: "rejected", code };
  if (answer === null || !answer.isMetered) return { kind: "completed", finishReason: null };
  // A 200 with an error event is a failure, whatever the status line promised.
  if (answer.error !== null) return broken("upstream_error_event", answer);
  if (answer.isEventStream && !answer.done && answer.finishReason === null)
    return broken("upstream_cut", answer);
  return { kind: "completed", finishReason: answer.finishReason };
}

/** What the last attempt's own row says of it. */
export function attemptResult(ending: Ending, outcome: Outcome): string {
  if (outcome.kind === "completed") return "answered";
  if ("code" in outcome) return outcome.code;
  return (ending.kind === "cancelled" ? ending.cause : undefined) ?? outcome.kind;
}

function broken(code: string, answer: AnswerReader | null): Outcome {
  const hasOutput = answer !== null && (answer.output.events > 0 || answer.hasUnstreamedOutput);
  return hasOutput ? { kind: "cut", code } : { kind: "failed", code };
}
