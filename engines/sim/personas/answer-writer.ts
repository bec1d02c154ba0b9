import type { JsonValue } from "../../engine.ts";

/** One answer being written. */
export interface Answer {
  readonly id: string;
  readonly model: string;
  /** Unix seconds, as of now: some engines stamp each frame anew. */
  readonly created: () => number;
  readonly wishes: Wishes;
  readonly promptIds: readonly number[];
}

/** What the client asked to see beside the text. */
export interface Wishes {
  readonly tokenIds: boolean;
  /** Alternatives per token; `null` for no log-probabilities. */
  readonly logprobs: number | null;
  /** Prompt in front of the answer. */
  readonly echo: string | null;
  readonly detokenize: boolean;
  /** Times on the frame of every token. */
  readonly timesTokens: boolean;
  /** A frame with usage will follow the last. */
  readonly usageFrame: boolean;
}

export interface Counts {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly reasoning: number;
}

/** llama.cpp's own clock of a request, ms. */
export interface Timings {
  readonly promptMs: number;
  readonly predictedMs: number;
  /** Speculative decoding: tokens drafted for this answer and accepted of them; `null` without it. */
  readonly drafted: { readonly tokens: number; readonly accepted: number } | null;
  /** Tokens gained per decoding step. */
  readonly tokensPerStep: number;
}

export type Channel = "content" | "reasoning" | "tool";

/** One produced token. */
export interface Token {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
}

export interface CallHead {
  readonly index: number;
  readonly id: string;
  readonly name: string;
}

/** What one frame adds to one choice. */
export interface Part {
  readonly choice: number;
  readonly channel: Channel;
  readonly text: string;
  /** The tool call this text belongs to. */
  readonly call: CallHead | null;
  /** The call begins with this part. */
  readonly callBegins: boolean;
  /** Tokens it stands for; filled only when ids or log-probabilities were asked for. */
  readonly tokens: readonly Token[];
  /** Characters of this choice's text before it. */
  readonly offset: number;
}

export type FinishReason = "stop" | "length" | "tool_calls";

export interface Ending {
  readonly reason: FinishReason;
  /** Stop string or token id that ended it; `null` for its own end. */
  readonly matched: string | number | null;
}

/** Beside the text of a frame. */
export interface Extras {
  readonly usage: Counts | null;
  readonly timings: Timings | null;
  /** Of the last frame, where speculative decoding makes it more than one. */
  readonly tokensPerStep: number | null;
}

/** A choice of an answer that was not streamed. */
export interface WholeChoice {
  readonly text: string;
  readonly reasoning: string | null;
  readonly calls: readonly { readonly head: CallHead; readonly arguments: string }[];
  readonly ending: Ending;
  readonly tokens: readonly Token[];
}

/** Writes one answer. Each function returns whole events, blank line included, or nothing. */
export interface AnswerWriter {
  /** Before the first output of a choice. */
  open(choice: number, extras: Extras): string;
  add(part: Part, extras: Extras): string;
  /** The last part of a choice and why it ended. */
  finish(part: Part, ending: Ending, extras: Extras): string;
  /** Progress of the prefill, where the engine tells it. */
  progress?(progress: Progress, extras: Extras): string;
  /** After all choices, when usage is wanted. */
  usage(counts: Counts, timings: Timings): string;
  /** The end mark. */
  end(counts: Counts | null): string;
  /** The same answer unstreamed. */
  whole(choices: readonly WholeChoice[], counts: Counts | null, timings: Timings): JsonValue;
  /** An error inside a stream that began well. */
  failure(message: string): { readonly frames: string; readonly cut: boolean };
}

export interface Progress {
  readonly total: number;
  readonly cached: number;
  readonly processed: number;
  readonly timeMs: number;
}
