import type { JsonValue } from "../../../engine.ts";
import { END_ID } from "../../answer-plan.ts";
import { answerHead, DONE, event, flatError, FrameTemplate, usageOf } from "../frame.ts";
import type {
  Answer,
  AnswerWriter,
  Counts,
  Ending,
  Extras,
  Part,
  WholeChoice,
} from "../answer-writer.ts";
import { chatLogprobs, idsOf, textLogprobs } from "../token-details.ts";

/** Chat frames (python/sglang/srt/entrypoints/openai/serving_chat.py): the finish is a frame of its own with an empty delta. */
export class ChatWriter implements AnswerWriter {
  readonly #answer: Answer;
  #content: FrameTemplate | null = null;
  #createdAt = 0;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  open(choice: number): string {
    return this.#frame(choice, { reasoning_content: null, role: "assistant", content: "" }, {});
  }

  add(part: Part, { usage }: Extras): string {
    const plain = part.channel === "content" && part.choice === 0 && part.tokens.length === 0;
    if (plain && usage === null) return this.#template().with(part.text);
    return this.#frame(part.choice, deltaOf(part), { part, usage });
  }

  finish(part: Part, ending: Ending, extras: Extras): string {
    const last = part.text === "" && part.tokens.length === 0 ? "" : this.add(part, extras);
    return last + this.#frame(part.choice, { reasoning_content: null }, { ...extras, ending });
  }

  usage(counts: Counts): string {
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [],
      usage: fullUsage(counts),
    });
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const { wishes, promptIds } = this.#answer;
    return {
      ...answerHead(this.#answer, "chat.completion"),
      choices: choices.map((choice, index) => ({
        index,
        message: {
          role: "assistant",
          content: choice.calls.length > 0 && choice.text === "" ? null : choice.text,
          reasoning_content: choice.reasoning,
          tool_calls: choice.calls.length === 0 ? null : choice.calls.map(wholeCall),
        },
        logprobs: chatLogprobs(this.#answer, choice.tokens),
        finish_reason: choice.ending.reason,
        matched_stop: matchedStop(choice.ending),
        ...(wishes.tokenIds ? { response_token_ids: idsOf(this.#answer, choice.tokens) } : {}),
      })) as JsonValue,
      ...(counts === null ? {} : { usage: fullUsage(counts) }),
      metadata: { weight_version: "default" },
      ...(wishes.tokenIds ? { prompt_token_ids: promptIds } : {}),
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  /** `created` is stamped anew on every frame, so the template lasts a second. */
  #template(): FrameTemplate {
    const created = this.#answer.created();
    if (this.#content === null || created !== this.#createdAt) {
      this.#createdAt = created;
      this.#content = new FrameTemplate((text) =>
        this.#frame(0, { reasoning_content: null, content: text }, {}),
      );
    }
    return this.#content;
  }

  #frame(
    index: number,
    delta: object,
    rest: { part?: Part; usage?: Counts | null; ending?: Ending },
  ): string {
    const { part, usage, ending } = rest;
    const tokens = part?.tokens ?? [];
    const choice = {
      index,
      delta,
      logprobs: tokens.length === 0 ? null : chatLogprobs(this.#answer, tokens),
      finish_reason: ending?.reason ?? null,
      matched_stop: matchedStop(ending),
    };
    const counted = usage === null || usage === undefined ? {} : { usage: usageOf(usage) };
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [choice],
      ...counted,
    });
  }
}

/** Text completions (serving_completions.py): the reason rides on the last text frame. */
export class CompletionWriter implements AnswerWriter {
  readonly #answer: Answer;
  #text: FrameTemplate | null = null;
  #createdAt = 0;
  #idsSent = false;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  open(choice: number): string {
    const { echo } = this.#answer.wishes;
    return echo === null ? "" : this.#frame({ choice, text: echo }, {});
  }

  add(part: Part, { usage }: Extras): string {
    if (part.choice !== 0 || part.tokens.length > 0 || usage !== null)
      return this.#frame(part, { part, usage });
    const created = this.#answer.created();
    if (this.#text === null || created !== this.#createdAt) {
      this.#createdAt = created;
      this.#text = new FrameTemplate((text) => this.#frame({ choice: 0, text }, {}));
    }
    return this.#text.with(part.text);
  }

  finish(part: Part, ending: Ending, { usage }: Extras): string {
    return this.#frame(part, { part, usage, ending });
  }

  usage(counts: Counts): string {
    return event({
      ...answerHead(this.#answer, "text_completion"),
      choices: [],
      usage: fullUsage(counts),
    });
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const { wishes, promptIds } = this.#answer;
    const echo = wishes.echo ?? "";
    return {
      ...answerHead(this.#answer, "text_completion"),
      choices: choices.map((choice, index) => ({
        index,
        text: echo + choice.text,
        logprobs: textLogprobs(this.#answer, choice.tokens, echo.length),
        finish_reason: choice.ending.reason,
        matched_stop: matchedStop(choice.ending),
        ...(wishes.tokenIds
          ? { token_ids: idsOf(this.#answer, choice.tokens), prompt_token_ids: promptIds }
          : {}),
      })) as JsonValue,
      ...(counts === null ? {} : { usage: fullUsage(counts) }),
      metadata: { weight_version: "default" },
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  #frame(
    { choice, text }: { choice: number; text: string },
    { part, usage, ending }: { part?: Part; usage?: Counts | null; ending?: Ending },
  ): string {
    const tokens = part?.tokens ?? [];
    const written = {
      index: choice,
      text,
      logprobs:
        part === undefined || tokens.length === 0
          ? null
          : textLogprobs(this.#answer, tokens, part.offset),
      finish_reason: ending?.reason ?? null,
      matched_stop: matchedStop(ending),
      ...this.#ids(part),
    };
    const counted = usage === null || usage === undefined ? null : usageOf(usage);
    return event({
      ...answerHead(this.#answer, "text_completion"),
      choices: [written],
      usage: counted,
    });
  }

  /** Ids since v0.5.16: the prompt's on the first frame. */
  #ids(part: Part | undefined): object {
    if (!this.#answer.wishes.tokenIds || part === undefined) return {};
    const first = this.#idsSent ? {} : { prompt_token_ids: this.#answer.promptIds };
    this.#idsSent = true;
    return { token_ids: idsOf(this.#answer, part.tokens), ...first };
  }
}

/** A stop string, the token that ended it, or nothing when it was cut for length. */
function matchedStop(ending: Ending | undefined): string | number | null {
  if (ending === undefined || ending.reason === "length") return null;
  return ending.matched ?? END_ID;
}

/** Tool-call deltas are whole dumps, nulls included. */
function deltaOf(part: Part): object {
  if (part.channel === "reasoning") return { reasoning_content: part.text };
  if (part.call === null) return { reasoning_content: null, content: part.text };
  const { id, index, name } = part.call;
  const call = {
    id: part.callBegins ? id : null,
    index,
    type: "function",
    function: { name: part.callBegins ? name : null, arguments: part.text },
  };
  return { role: null, content: null, reasoning_content: null, tool_calls: [call] };
}

function wholeCall(call: WholeChoice["calls"][number], index: number): JsonValue {
  const { id, name } = call.head;
  return { id, index, type: "function", function: { name, arguments: call.arguments } };
}

/** Cached tokens are left out when there are none. */
function fullUsage(counts: Counts): ReturnType<typeof usageOf> & {
  prompt_tokens_details: { cached_tokens: number } | null;
  reasoning_tokens: number;
} {
  const details = counts.cached > 0 ? { cached_tokens: counts.cached } : null;
  return {
    ...usageOf(counts),
    prompt_tokens_details: details,
    reasoning_tokens: counts.reasoning,
  };
}

function failureFrame(message: string): string {
  const refusal = { kind: "fault", status: 500, message, param: null } as const;
  return event({ error: flatError(refusal, "InternalServerError") }) + DONE;
}
