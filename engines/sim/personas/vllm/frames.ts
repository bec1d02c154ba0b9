import type { JsonValue } from "../../../engine.ts";
import {
  answerHead,
  DONE,
  event,
  FrameTemplate,
  nestedError,
  usageOf,
  usageWithCache,
} from "../frame.ts";
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

export const VERSION = "0.25.1";
const FINGERPRINT = `vllm-${VERSION}-1a2b3c4d`;

/** Chat frames (vllm/entrypoints/openai/chat_completion/serving.py). Unset fields are left out, nulls that were set are not. */
export class ChatWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #content: FrameTemplate;
  #opened = false;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#content = new FrameTemplate((text) => this.#frame(0, { content: text }, {}));
  }

  open(choice: number, { usage }: Extras): string {
    const ids = this.#answer.wishes.tokenIds && !this.#opened ? this.#answer.promptIds : null;
    this.#opened = true;
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [
        {
          index: choice,
          delta: { role: "assistant", content: "" },
          logprobs: null,
          finish_reason: null,
        },
      ],
      prompt_token_ids: ids,
      prompt_text: null,
      ...(usage === null ? {} : { usage: usageOf({ ...usage, output: 0 }) }),
    });
  }

  add(part: Part, { usage }: Extras): string {
    const plain = part.channel === "content" && part.choice === 0 && part.tokens.length === 0;
    if (plain && usage === null) return this.#content.with(part.text);
    return this.#frame(part.choice, deltaOf(part), { part, usage });
  }

  finish(part: Part, ending: Ending, { usage }: Extras): string {
    return this.#frame(part.choice, deltaOf(part), { part, usage, ending });
  }

  usage(counts: Counts): string {
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [],
      usage: usageWithCache(counts),
      system_fingerprint: FINGERPRINT,
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
          refusal: null,
          annotations: null,
          audio: null,
          function_call: null,
          tool_calls: choice.calls.map(wholeCall),
          reasoning: choice.reasoning,
        },
        logprobs: chatLogprobs(this.#answer, choice.tokens),
        finish_reason: choice.ending.reason,
        stop_reason: choice.ending.matched,
        token_ids: idsOf(this.#answer, choice.tokens) as JsonValue,
      })),
      service_tier: null,
      system_fingerprint: FINGERPRINT,
      ...(counts === null ? {} : { usage: usageWithCache(counts) }),
      prompt_logprobs: null,
      prompt_token_ids: wishes.tokenIds ? promptIds : null,
      kv_transfer_params: null,
      metrics: null,
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
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
      ...(ending === undefined ? {} : { stop_reason: ending.matched }),
      token_ids: tokens.length === 0 ? null : idsOf(this.#answer, tokens),
    };
    const counted = usage === null || usage === undefined ? {} : { usage: usageOf(usage) };
    const isLast = ending !== undefined && !this.#answer.wishes.usageFrame;
    const signed = isLast ? { system_fingerprint: FINGERPRINT } : {};
    return event({
      ...answerHead(this.#answer, "chat.completion.chunk"),
      choices: [choice],
      ...counted,
      ...signed,
    });
  }
}

/** Text completions (completion/serving.py): no role frame, the prompt echoed where asked. */
export class CompletionWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #text: FrameTemplate;
  #opened = false;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#text = new FrameTemplate((text) => this.#frame({ choice: 0, text }, {}));
  }

  open(choice: number): string {
    const { echo, wishes, promptIds } = { ...this.#answer, echo: this.#answer.wishes.echo };
    const ids = wishes.tokenIds && !this.#opened ? promptIds : null;
    this.#opened = true;
    if (echo === null && ids === null) return "";
    return this.#frame({ choice, text: echo ?? "" }, { promptIds: ids });
  }

  add(part: Part, { usage }: Extras): string {
    if (part.choice === 0 && part.tokens.length === 0 && usage === null)
      return this.#text.with(part.text);
    return this.#frame(part, { part, usage });
  }

  finish(part: Part, ending: Ending, { usage }: Extras): string {
    return this.#frame(part, { part, usage, ending });
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

  whole(choices: readonly WholeChoice[], counts: Counts | null): JsonValue {
    const { wishes, promptIds } = this.#answer;
    return {
      ...answerHead(this.#answer, "text_completion"),
      choices: choices.map((choice, index) => ({
        index,
        text: (wishes.echo ?? "") + choice.text,
        logprobs: textLogprobs(this.#answer, choice.tokens, (wishes.echo ?? "").length),
        finish_reason: choice.ending.reason,
        stop_reason: choice.ending.matched,
        token_ids: idsOf(this.#answer, choice.tokens) as JsonValue,
        prompt_logprobs: null,
        prompt_token_ids: wishes.tokenIds ? promptIds : null,
      })),
      service_tier: null,
      system_fingerprint: FINGERPRINT,
      ...(counts === null ? {} : { usage: usageWithCache(counts) }),
      kv_transfer_params: null,
      metrics: null,
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  #frame(
    { choice, text }: { choice: number; text: string },
    rest: {
      part?: Part;
      usage?: Counts | null;
      ending?: Ending;
      promptIds?: readonly number[] | null;
    },
  ): string {
    const { part, usage, ending, promptIds } = rest;
    const tokens = part?.tokens ?? [];
    const written = {
      index: choice,
      text,
      logprobs:
        part === undefined || tokens.length === 0
          ? null
          : textLogprobs(this.#answer, tokens, part.offset),
      finish_reason: ending?.reason ?? null,
      stop_reason: ending?.matched ?? null,
      prompt_token_ids: promptIds ?? null,
      token_ids: tokens.length === 0 ? null : idsOf(this.#answer, tokens),
    };
    const counted = usage === null || usage === undefined ? {} : { usage: usageOf(usage) };
    return event({
      ...answerHead(this.#answer, "text_completion"),
      choices: [written],
      ...counted,
    });
  }
}

function deltaOf(part: Part): object {
  if (part.channel === "reasoning") return { reasoning: part.text };
  if (part.channel === "content" || part.call === null) return { content: part.text };
  const { id, index, name } = part.call;
  const call = part.callBegins
    ? { id, type: "function", index, function: { name, arguments: part.text } }
    : { index, function: { arguments: part.text } };
  return { tool_calls: [call] };
}

function wholeCall({ head, arguments: text }: WholeChoice["calls"][number]): JsonValue {
  return { id: head.id, type: "function", function: { name: head.name, arguments: text } };
}

function failureFrame(message: string): string {
  const refusal = { kind: "fault", status: 500, message, param: null } as const;
  return event(nestedError(refusal, "InternalServerError")) + DONE;
}
