import type { JsonObject, JsonValue } from "../../../engine.ts";
import { event } from "../frame.ts";
import type {
  Answer,
  AnswerWriter,
  Counts,
  Ending,
  Extras,
  Part,
  Timings,
  WholeChoice,
} from "../answer-writer.ts";
import { failureFrame, timingsOf } from "./frames.ts";

/** Native `/completion`: no end mark. */
export class NativeWriter implements AnswerWriter {
  readonly #answer: Answer;
  #predicted = 0;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  open(): string {
    return "";
  }

  add(part: Part, { usage }: Extras): string {
    this.#predicted = usage?.output ?? this.#predicted + 1;
    return event({
      index: part.choice,
      content: part.text,
      tokens: part.tokens.map((token) => token.id),
      stop: false,
      id_slot: 0,
      tokens_predicted: this.#predicted,
      tokens_evaluated: this.#answer.promptIds.length,
    });
  }

  finish(part: Part, ending: Ending, extras: Extras): string {
    const last = part.text === "" ? "" : this.add(part, extras);
    const { usage, timings } = extras;
    return last + event(this.#final("", ending, usage, timings ?? NO_TIMINGS));
  }

  usage(): string {
    return "";
  }

  end(): string {
    return "";
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue {
    const [choice] = choices;
    const ending = choice?.ending ?? { reason: "stop", matched: null };
    return this.#final(choice?.text ?? "", ending, counts, timings);
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  #final(text: string, ending: Ending, counts: Counts | null, timings: Timings): JsonObject {
    const { model, promptIds } = this.#answer;
    const stopType = typeof ending.matched === "string" ? "word" : "eos";
    return {
      index: 0,
      content: text,
      tokens: [],
      id_slot: 0,
      stop: true,
      model,
      tokens_predicted: counts?.output ?? this.#predicted,
      tokens_evaluated: promptIds.length,
      truncated: false,
      stop_type: ending.reason === "length" ? "limit" : stopType,
      stopping_word: typeof ending.matched === "string" ? ending.matched : "",
      tokens_cached: counts?.cached ?? 0,
      ...(counts === null ? {} : { timings: timingsOf(counts, timings) }),
    };
  }
}

const NO_TIMINGS: Timings = { promptMs: 0, predictedMs: 0, drafted: null, tokensPerStep: 1 };
