import type { JsonObject, JsonValue } from "../../../engine.ts";
import { DONE, event, FrameTemplate, usageOf } from "../frame.ts";
import type {
  Answer,
  AnswerWriter,
  Counts,
  Ending,
  Extras,
  Part,
  Progress,
  Timings,
  WholeChoice,
} from "../answer-writer.ts";
import { chatLogprobsWithIds } from "../token-details.ts";

export const BUILD = "b10573-3f545bec";

const NO_EXTRAS: Extras = { usage: null, timings: null, tokensPerStep: null };

/** What a frame may carry beside its delta. */
interface Rest {
  readonly part?: Part;
  readonly ending?: Ending;
  readonly usage?: JsonObject;
  readonly timings?: JsonObject;
  readonly prompt_progress?: JsonObject;
}

/** Chat frames (tools/server/server-task.cpp). Keys in the order its JSON library writes them. */
export class ChatWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #content: FrameTemplate;
  readonly #opened = new Set<number>();

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#content = new FrameTemplate((text) => this.#frame(0, { content: text }, {}));
  }

  open(choice: number): string {
    if (this.#opened.has(choice)) return "";
    this.#opened.add(choice);
    return this.#frame(choice, { role: "assistant", content: null }, {});
  }

  add(part: Part, { usage, timings }: Extras): string {
    const plain = part.channel === "content" && part.choice === 0 && part.tokens.length === 0;
    if (plain && timings === null) return this.#content.with(part.text);
    return this.#frame(part.choice, deltaOf(part), { part, ...timed(usage, timings) });
  }

  finish(part: Part, ending: Ending, extras: Extras): string {
    const last =
      part.text === "" && part.tokens.length === 0
        ? ""
        : this.add(part, this.#answer.wishes.timesTokens ? extras : { ...extras, timings: null });
    // Timings ride on the very last frame: this one unless usage follows.
    const timings = this.#answer.wishes.usageFrame ? null : extras.timings;
    return last + this.#frame(part.choice, {}, { ending, ...timed(extras.usage, timings) });
  }

  /** Carries the role each time; the role frame of the first token comes all the same. */
  progress(progress: Progress, extras: Extras): string {
    return this.#frame(
      0,
      { role: "assistant", content: null },
      { ...timed(extras.usage, extras.timings), prompt_progress: progressOf(progress) },
    );
  }

  usage(counts: Counts, timings: Timings): string {
    return event({
      choices: [],
      ...tail(this.#answer, "chat.completion.chunk"),
      usage: fullUsage(counts),
      timings: timingsOf(counts, timings),
    });
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue {
    const { logprobs } = this.#answer.wishes;
    return {
      choices: choices.map((choice, index) => ({
        finish_reason: choice.ending.reason,
        index,
        message: {
          role: "assistant",
          content: choice.text,
          ...(choice.reasoning === null ? {} : { reasoning_content: choice.reasoning }),
          ...(choice.calls.length === 0 ? {} : { tool_calls: choice.calls.map(wholeCall) }),
        },
        ...(logprobs === null ? {} : { logprobs: chatLogprobsWithIds(choice.tokens, logprobs) }),
      })),
      ...wholeTail(this.#answer, "chat.completion", { counts, timings }),
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  #frame(index: number, delta: object, rest: Rest): string {
    const { part, ending, ...more } = rest;
    const { logprobs } = this.#answer.wishes;
    const tokens = part?.tokens ?? [];
    const choice = {
      finish_reason: ending?.reason ?? null,
      index,
      delta,
      ...(logprobs === null || tokens.length === 0
        ? {}
        : { logprobs: chatLogprobsWithIds(tokens, logprobs) }),
    };
    return event({ choices: [choice], ...tail(this.#answer, "chat.completion.chunk"), ...more });
  }
}

/** Text completions in OpenAI's form: the final frame is empty and always carries usage and timings. */
export class CompletionWriter implements AnswerWriter {
  readonly #answer: Answer;
  readonly #text: FrameTemplate;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#text = new FrameTemplate((text) => this.#frame({ choice: 0, text }, {}));
  }

  open(): string {
    return "";
  }

  add(part: Part, { usage, timings }: Extras): string {
    if (part.choice === 0 && part.tokens.length === 0 && timings === null)
      return this.#text.with(part.text);
    return this.#frame(part, { part, ...timed(usage, timings) });
  }

  finish(part: Part, ending: Ending, { usage, timings }: Extras): string {
    const last =
      part.text === "" && part.tokens.length === 0
        ? ""
        : this.add(
            part,
            this.#answer.wishes.timesTokens ? { usage, timings, tokensPerStep: null } : NO_EXTRAS,
          );
    const counted = usage === null ? {} : { usage: fullUsage(usage) };
    return (
      last +
      this.#frame(
        { choice: part.choice, text: "" },
        { ending, ...counted, ...timed(usage, timings) },
      )
    );
  }

  progress(progress: Progress, extras: Extras): string {
    return this.#frame(
      { choice: 0, text: "" },
      { ...timed(extras.usage, extras.timings), prompt_progress: progressOf(progress) },
    );
  }

  usage(): string {
    return "";
  }

  end(): string {
    return DONE;
  }

  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue {
    const { logprobs } = this.#answer.wishes;
    return {
      choices: choices.map((choice, index) => ({
        text: choice.text,
        index,
        logprobs: logprobs === null ? null : chatLogprobsWithIds(choice.tokens, logprobs),
        finish_reason: choice.ending.reason,
      })),
      ...wholeTail(this.#answer, "text_completion", { counts, timings }),
    };
  }

  failure(message: string): { frames: string; cut: boolean } {
    return { frames: failureFrame(message), cut: false };
  }

  #frame({ choice, text }: { choice: number; text: string }, rest: Rest): string {
    const { part, ending, ...more } = rest;
    const { logprobs } = this.#answer.wishes;
    const tokens = part?.tokens ?? [];
    const written = {
      text,
      index: choice,
      logprobs:
        logprobs === null || tokens.length === 0 ? null : chatLogprobsWithIds(tokens, logprobs),
      finish_reason: ending?.reason ?? null,
    };
    const { usage, ...last } = more;
    const counted = usage === undefined ? {} : { usage };
    const { id, model, created } = this.#answer;
    return event({
      choices: [written],
      created: created(),
      model,
      system_fingerprint: BUILD,
      object: "text_completion",
      ...counted,
      id,
      ...last,
    });
  }
}

function deltaOf(part: Part): object {
  if (part.channel === "reasoning") return { reasoning_content: part.text };
  if (part.call === null) return { content: part.text };
  const { id, index, name } = part.call;
  const call = part.callBegins
    ? { index, id, type: "function", function: { name, arguments: part.text } }
    : { index, function: { arguments: part.text } };
  return { tool_calls: [call] };
}

function wholeCall({ head, arguments: text }: WholeChoice["calls"][number]): JsonValue {
  return { type: "function", function: { name: head.name, arguments: text }, id: head.id };
}

function tail(
  answer: Answer,
  object: string,
): { created: number; id: string; model: string; system_fingerprint: string; object: string } {
  const { id, model, created } = answer;
  return { created: created(), id, model, system_fingerprint: BUILD, object };
}

/** The end of an answer that was not streamed: its id comes late. */
function wholeTail(
  { id, model, created }: Answer,
  object: string,
  { counts, timings }: { readonly counts: Counts | null; readonly timings: Timings },
): JsonObject {
  const head = { created: created(), model, system_fingerprint: BUILD, object };
  if (counts === null) return { ...head, id };
  return { ...head, usage: fullUsage(counts), id, timings: timingsOf(counts, timings) };
}

function timed(counts: Counts | null, timings: Timings | null): Pick<Rest, "timings"> {
  return counts === null || timings === null ? {} : { timings: timingsOf(counts, timings) };
}

function fullUsage(counts: Counts): JsonObject {
  const { completion_tokens, prompt_tokens, total_tokens } = usageOf(counts);
  return {
    completion_tokens,
    prompt_tokens,
    total_tokens,
    prompt_tokens_details: { cached_tokens: counts.cached },
  };
}

/** llama.cpp's own clock: prompt tokens it computed, tokens it predicted, and how long each took. */
export function timingsOf(counts: Counts, { promptMs, predictedMs, drafted }: Timings): JsonObject {
  const promptN = counts.input - counts.cached;
  // The first token belongs to the prompt's time.
  const intervals = Math.max(0, counts.output - 1);
  return {
    cache_n: counts.cached,
    prompt_n: promptN,
    prompt_ms: promptMs,
    prompt_per_token_ms: promptMs / Math.max(1, promptN),
    prompt_per_second: promptMs === 0 ? 0 : (1000 * promptN) / promptMs,
    predicted_n: counts.output,
    predicted_ms: predictedMs,
    predicted_per_token_ms: predictedMs / Math.max(1, intervals),
    predicted_per_second: predictedMs === 0 ? 0 : (1000 * intervals) / predictedMs,
    ...(drafted === null ? {} : { draft_n: drafted.tokens, draft_n_accepted: drafted.accepted }),
  };
}

function progressOf({ total, cached, processed, timeMs }: Progress): JsonObject {
  return { total, cache: cached, processed, time_ms: Math.round(timeMs) };
}

export function failureFrame(message: string): string {
  return event({ error: { code: 500, message, type: "server_error" } });
}
