import type { AnswerChoice } from "./answer-choice.ts";
import type { LedgerRow } from "./books.ts";
import { type Fault, findFault } from "./faults.ts";
import type { Counts, Timings } from "./personas/answer-writer.ts";

/** What the figures in an answer are made from. */
export interface TallyParts {
  readonly row: LedgerRow;
  readonly faults: readonly Fault[];
  /** Times told in answers are made from the counts alone, so that equal requests get equal bytes. */
  readonly fixedTimes: boolean;
  /** Tokens a draft model proposes a step; 0 without one. */
  readonly drafts: number;
  /** Usage is of one choice, as llama.cpp tells it. */
  readonly perChoice: boolean;
  /** Prompt tokens of a choice, and those found in the cache. */
  readonly inputOf: (index: number) => number;
  readonly cachedOf: (index: number) => number;
}

/** The figures an answer tells of itself: tokens, and in some engines times. */
export class AnswerTally {
  /** Times the engine handed out tokens: with speculative decoding fewer than tokens. */
  outputs = 0;
  readonly #parts: TallyParts;
  readonly #choices: readonly AnswerChoice[];

  constructor(parts: TallyParts, choices: readonly AnswerChoice[]) {
    this.#parts = parts;
    this.#choices = choices;
  }

  get tokensPerStep(): number {
    return this.outputs === 0 ? 1 : this.#parts.row.outputTokens / this.outputs;
  }

  /** Of one choice: what it was given, and what it has said. */
  countsOf(choice: AnswerChoice): Counts {
    const { faults, inputOf, cachedOf } = this.#parts;
    const off = findFault(faults, "wrong-usage")?.offTokens ?? 0;
    return {
      input: inputOf(choice.index),
      output: Math.max(0, choice.produced + off),
      cached: cachedOf(choice.index),
      reasoning: Math.min(choice.plan.reasoningTokens, choice.produced),
    };
  }

  /** Of all of them. */
  counts(): Counts {
    const [first] = this.#choices;
    if (this.#parts.perChoice && first !== undefined) return this.countsOf(first);
    const { row, faults } = this.#parts;
    const off = findFault(faults, "wrong-usage")?.offTokens ?? 0;
    let reasoning = 0;
    for (const { plan, produced } of this.#choices)
      reasoning += Math.min(plan.reasoningTokens, produced);
    return {
      input: row.inputTokens,
      output: Math.max(0, row.outputTokens + off),
      cached: row.cachedTokens,
      reasoning,
    };
  }

  timings(): Timings {
    const { row, fixedTimes, drafts } = this.#parts;
    const { scheduledMs, firstTokenMs, lastTokenMs, outputTokens } = row;
    const firstMs = firstTokenMs ?? 0;
    const measured = {
      promptMs: Math.max(0, firstMs - (scheduledMs ?? firstMs)),
      predictedMs: (lastTokenMs ?? firstMs) - firstMs,
    };
    // Prefill gives the first token of each choice without a draft.
    const verified = Math.max(0, this.outputs - this.#choices.length);
    const accepted = outputTokens - this.outputs;
    return {
      ...(fixedTimes ? roundTimes(this.counts()) : measured),
      drafted: drafts === 0 ? null : { tokens: verified * drafts, accepted },
      tokensPerStep: this.tokensPerStep,
    };
  }
}

/** About an H100's. */
function roundTimes({ input, cached, output }: Counts): Pick<Timings, "promptMs" | "predictedMs"> {
  return { promptMs: (input - cached) * 0.125, predictedMs: Math.max(0, output - 1) * 8 };
}
