import type { AnswerReader } from "./answer-reader.ts";
import type { CountedBy, ExchangeTokens } from "./exchange.ts";

/** What was still to come of an answer expected to be `expected` tokens long; `null` when nobody knows. */
export function savedTokens(
  expected: number | null | undefined,
  { output }: ExchangeTokens,
): number | null {
  return expected === null || expected === undefined ? null : Math.max(0, expected - (output ?? 0));
}

/** What an answer told of its tokens: {@link AnswerReader} gathers it. */
type Told = Pick<
  AnswerReader,
  | "usage"
  | "timings"
  | "tokenIds"
  | "logprobTokens"
  | "output"
  | "done"
  | "finishReason"
  | "hasUnstreamedOutput"
>;

/** Counts by the best source the answer offered, and says which. */
export function tokensOf(answer: Told | null): ExchangeTokens {
  if (answer === null) return UNCOUNTED;
  const { usage, timings } = answer;
  const input = usage?.inputTokens ?? timings?.inputTokens ?? null;
  const inputBy = usage === null ? "timings" : "usage";
  const counted = countOutput(answer);
  return {
    input,
    cachedInput: usage?.cachedInputTokens ?? timings?.cachedInputTokens ?? null,
    reasoning: usage?.reasoningTokens ?? null,
    output: counted?.output ?? null,
    countedBy: counted?.countedBy ?? (input === null ? "none" : inputBy),
  };
}

const UNCOUNTED: ExchangeTokens = {
  input: null,
  output: null,
  cachedInput: null,
  reasoning: null,
  countedBy: "none",
};

function countOutput(answer: Told): { output: number; countedBy: CountedBy } | null {
  const { usage, timings, output } = answer;
  const said = usage?.outputTokens ?? null;
  if (said !== null && isBelievable(answer, said)) return { output: said, countedBy: "usage" };
  const { events } = output;
  const counts = [
    ["token-ids", answer.tokenIds],
    ["timings", timings?.outputTokens ?? 0],
    ["logprobs", answer.logprobTokens],
  ] as const;
  // A list that does not cover every event leaves tokens out: withheld by a parser, or sent for some channels only.
  const best = counts.find(([, tokens]) => tokens > 0 && tokens >= events);
  if (best !== undefined) return { output: best[1], countedBy: best[0] };
  return events > 0 ? { output: events, countedBy: "events" } : null;
}

/**
 * Whether usage tells of the output we saw. What a stream said before it broke off may be old: Anthropic's first event
 * counts no output, and continuous usage is as old as its last frame. Nor is a count of nothing beside output believed.
 */
function isBelievable(answer: Told, outputTokens: number): boolean {
  const { events } = answer.output;
  const isFinished = answer.done || answer.finishReason !== null;
  if (!isFinished) return outputTokens >= events;
  return outputTokens > 0 || (events === 0 && !answer.hasUnstreamedOutput);
}
