import type { AnswerReader } from "./answer-reader.ts";
import type { ExchangeTokens } from "./exchange.ts";

/** What was still to come of an answer expected to be `expected` tokens long; `null` when nobody knows. */
export function savedTokens(
  expected: number | null | undefined,
  { output }: ExchangeTokens,
): number | null {
  return expected === null || expected === undefined ? null : Math.max(0, expected - (output ?? 0));
}

/** Counts by the best source the answer offered; says which. */
export function tokensOf(answer: AnswerReader | null): ExchangeTokens {
  const usage = answer?.usage ?? null;
  const said = {
    input: usage?.inputTokens ?? null,
    cachedInput: usage?.cachedInputTokens ?? null,
    reasoning: usage?.reasoningTokens ?? null,
  };
  if (usage !== null && usage.outputTokens !== null) {
    return { ...said, output: usage.outputTokens, countedBy: "usage" };
  }
  if (answer !== null && answer.tokenIds > 0) {
    return { ...said, output: answer.tokenIds, countedBy: "token-ids" };
  }
  if (answer !== null && answer.output.events > 0) {
    return { ...said, output: answer.output.events, countedBy: "events" };
  }
  return { ...said, output: null, countedBy: said.input === null ? "none" : "usage" };
}
