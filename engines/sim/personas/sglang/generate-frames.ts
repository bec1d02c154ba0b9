import type { JsonValue } from "../../../engine.ts";
import { DONE, event } from "../frame.ts";
import type {
  Answer,
  AnswerWriter,
  Counts,
  Ending,
  Extras,
  Part,
  WholeChoice,
} from "../answer-writer.ts";

/** Native `/generate`: each frame holds all text so far. */
export class GenerateWriter implements AnswerWriter {
  readonly #answer: Answer;
  #text = "";
  #ids: number[] = [];

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  open(): string {
    return "";
  }

  add(part: Part, { usage }: Extras): string {
    return event(this.#state(part, usage, null));
  }

  finish(part: Part, ending: Ending, { usage }: Extras): string {
    return event(this.#state(part, usage, ending));
  }

  usage(): string {
    return "";
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const all = choices.map((choice) => ({
      text: choice.text,
      output_ids: choice.tokens.map((token) => token.id),
      meta_info: this.#meta(counts, choice.ending),
    }));
    return all.length === 1 ? (all[0] ?? {}) : all;
  }

  failure(message: string): { frames: string; cut: boolean } {
    const error = { message, type: "internal_error", code: 500, retryable: true };
    return { frames: event({ error }) + DONE, cut: false };
  }

  #state(part: Part, counts: Counts | null, ending: Ending | null): object {
    this.#text += part.text;
    for (const token of part.tokens) this.#ids.push(token.id);
    return { text: this.#text, output_ids: this.#ids, meta_info: this.#meta(counts, ending) };
  }

  #meta(counts: Counts | null, ending: Ending | null): JsonValue {
    return {
      id: this.#answer.id,
      finish_reason: ending === null ? null : finishReason(ending, counts?.output ?? 0),
      prompt_tokens: counts?.input ?? this.#answer.promptIds.length,
      completion_tokens: counts?.output ?? this.#ids.length,
      cached_tokens: counts?.cached ?? 0,
      weight_version: "default",
    };
  }
}

function finishReason({ reason, matched }: Ending, length: number): JsonValue {
  return reason === "length" ? { type: "length", length } : { type: "stop", matched };
}
