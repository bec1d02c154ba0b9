import type { JsonValue } from "../../../engine.ts";
import { answerHead, DONE, event, FrameTemplate, usageWithCache } from "../frame.ts";
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
import { chatLogprobs, textLogprobs } from "../token-details.ts";

/** What a frame may carry beside its text. */
interface Rest {
  readonly part?: Part;
  readonly usage?: Counts | null;
  readonly ending?: Ending;
  readonly tokensPerStep?: number | null;
}

/** Chat frames (tensorrt_llm/serve/postprocess_handlers.py): nulls are left out, a blank follows the first. */
export class ChatWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #content: FrameTemplate;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#content = new FrameTemplate((text) =>
      this.#frame(0, { content: text, reasoning_content: "" }, {}),
    );
  }

  open(choice: number): string {
    return this.#frame(choice, { role: "assistant" }, {}).replace(/\n\n$/, " \n\n");
  }

  add(part: Part, { usage }: Extras): string {
    const plain = part.channel === "content" && part.choice === 0 && part.tokens.length === 0;
    if (plain && usage === null) return this.#content.with(part.text);
    return this.#frame(part.choice, deltaOf(part), { part, usage });
  }

  finish(part: Part, ending: Ending, { usage, tokensPerStep }: Extras): string {
    return this.#frame(part.choice, deltaOf(part), { part, usage, ending, tokensPerStep });
  }

  usage(counts: Counts): string {
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [],
      usage: usageWithCache(counts),
    });
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue {
    return {
      ...answerHead(this.#answer, "chat.completion"),
      choices: choices.map((choice, index) => ({
        index,
        message: {
          role: "assistant",
          content: choice.calls.length > 0 && choice.text === "" ? null : choice.text,
          reasoning_content: choice.reasoning,
          tool_calls: choice.calls.map(wholeCall),
        },
        logprobs: chatLogprobs(this.#answer, choice.tokens),
        finish_reason: choice.ending.reason,
        stop_reason: choice.ending.matched,
        disaggregated_params: null,
        avg_decoded_tokens_per_iter: timings.tokensPerStep,
      })),
      ...(counts === null ? {} : { usage: usageWithCache(counts) }),
      prompt_token_ids: null,
    };
  }

  /** The exception is raised anew: the chunked body just stops. */
  failure(): { frames: string; cut: boolean } {
    return { frames: "", cut: true };
  }

  #frame(index: number, delta: object, rest: Rest): string {
    const { part, usage, ending, tokensPerStep } = rest;
    const logprobs = chatLogprobs(this.#answer, part?.tokens ?? []);
    const choice = {
      index,
      delta,
      ...(logprobs === null || part === undefined ? {} : { logprobs }),
      ...(ending === undefined ? {} : { finish_reason: ending.reason }),
      ...(ending === undefined || ending.matched === null ? {} : { stop_reason: ending.matched }),
      ...(typeof tokensPerStep === "number" ? { avg_decoded_tokens_per_iter: tokensPerStep } : {}),
    };
    const counted = usage === null || usage === undefined ? {} : { usage: usageWithCache(usage) };
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [choice],
      ...counted,
    });
  }
}

/** Text completions: nulls are kept; without detokenizing they carry ids and no text. */
export class CompletionWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #text: FrameTemplate;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#text = new FrameTemplate((text) => this.#frame({ choice: 0, text }, {}));
  }

  open(choice: number): string {
    const { echo } = this.#answer.wishes;
    return echo === null ? "" : this.#frame({ choice, text: echo }, {});
  }

  add(part: Part, { usage }: Extras): string {
    if (part.choice === 0 && part.tokens.length === 0 && usage === null)
      return this.#text.with(part.text);
    return this.#frame(part, { part, usage });
  }

  finish(part: Part, ending: Ending, { usage, tokensPerStep }: Extras): string {
    return this.#frame(part, { part, usage, ending, tokensPerStep });
  }

  usage(counts: Counts): string {
    return event({
      ...answerHead(this.#answer, "text_completion"),
      choices: [],
      usage: usageWithCache(counts),
    });
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue {
    const { wishes } = this.#answer;
    const echo = wishes.echo ?? "";
    return {
      ...answerHead(this.#answer, "text_completion"),
      choices: choices.map((choice, index) => ({
        index,
        text: wishes.detokenize ? echo + choice.text : "",
        token_ids: wishes.detokenize ? null : choice.tokens.map((token) => token.id),
        logprobs: textLogprobs(this.#answer, choice.tokens, echo.length),
        finish_reason: choice.ending.reason,
        stop_reason: choice.ending.matched,
        disaggregated_params: null,
        avg_decoded_tokens_per_iter: timings.tokensPerStep,
      })),
      ...(counts === null ? {} : { usage: usageWithCache(counts) }),
      prompt_token_ids: null,
    };
  }

  /** An error event, its end mark, and the wrapper's second one. */
  failure(message: string): { frames: string; cut: boolean } {
    const error = { message, type: "server_error", code: null, param: null };
    return { frames: event({ error }) + DONE + DONE, cut: false };
  }

  #frame(
    { choice, text }: { choice: number; text: string },
    { part, usage, ending, tokensPerStep }: Rest,
  ): string {
    const { detokenize } = this.#answer.wishes;
    const tokens = part?.tokens ?? [];
    const written = {
      index: choice,
      text: detokenize ? text : "",
      token_ids: detokenize ? null : tokens.map((token) => token.id),
      logprobs: part === undefined ? null : textLogprobs(this.#answer, tokens, part.offset),
      finish_reason: ending?.reason ?? null,
      stop_reason: ending?.matched ?? null,
      avg_decoded_tokens_per_iter: tokensPerStep ?? null,
    };
    const counted = usage === null || usage === undefined ? null : usageWithCache(usage);
    return event({
      ...answerHead(this.#answer, "text_completion"),
      choices: [written],
      usage: counted,
    });
  }
}

function deltaOf(part: Part): object {
  if (part.channel === "reasoning") return { reasoning_content: part.text };
  if (part.call === null) return { content: part.text, reasoning_content: "" };
  const { id, index, name } = part.call;
  const call = part.callBegins
    ? { id, index, type: "function", function: { name, arguments: part.text } }
    : { index, type: "function", function: { arguments: part.text } };
  return { tool_calls: [call] };
}

function wholeCall({ head, arguments: text }: WholeChoice["calls"][number]): JsonValue {
  return { id: head.id, type: "function", function: { name: head.name, arguments: text } };
}
