import { type AnswerPlan, logprobOf, type Piece } from "./answer-plan.ts";
import type {
  AnswerWriter,
  CallHead,
  Extras,
  Part,
  Token,
  WholeChoice,
} from "./personas/answer-writer.ts";

/** How an engine cuts tokens into frames, and what of them the client sees. */
export interface ChoiceRules {
  /** Tokens that wait together go out in one frame. */
  readonly coalesces: boolean;
  /** A token without text still makes a frame. */
  readonly framesEmptyText: boolean;
  /** Ids or log-probabilities are shown. */
  readonly seesTokens: boolean;
}

const NO_TOKENS: readonly Token[] = [];

/** One choice of an answer: its plan, how many of its tokens there are, and how many are in frames. */
export class AnswerChoice {
  readonly index: number;
  readonly plan: AnswerPlan;
  produced = 0;
  finished = false;
  readonly #rules: ChoiceRules;
  #framed = 0;
  #opened = false;
  #chars = 0;
  /** Tokens that showed nothing yet. */
  #held: Token[] = [];

  constructor(index: number, plan: AnswerPlan, rules: ChoiceRules) {
    this.index = index;
    this.plan = plan;
    this.#rules = rules;
  }

  /** Tokens not yet in frames. */
  get pending(): number {
    return this.produced - this.#framed;
  }

  /** Nothing was shown of it yet. */
  get isNew(): boolean {
    return this.#framed === 0;
  }

  /** Frames of what was produced since; when it is finished, with the one that says so. */
  frames(writer: AnswerWriter, extras: Extras, lastExtras: Extras): string {
    let frames = this.#open(writer, extras);
    let part: Part | null = null;
    for (; this.#framed < this.produced; this.#framed++) {
      const next = this.#next(this.plan.piece(this.#framed));
      if (next === null) continue;
      const merged: Part | null =
        this.#rules.coalesces && part !== null ? mergedParts(part, next) : null;
      if (merged === null) frames += this.#shown(writer, part, extras);
      part = merged ?? next;
    }
    if (!this.finished) return frames + this.#shown(writer, part, extras);
    const last =
      part ?? this.#part({ channel: "content", text: "", call: null, callBegins: false });
    const tokens = this.#held.length === 0 ? last.tokens : [...last.tokens, ...this.#held];
    return frames + writer.finish({ ...last, tokens }, this.plan.ending, lastExtras);
  }

  /** All of it at once. */
  whole(): WholeChoice {
    let text = "";
    let reasoning: string | null = null;
    const calls: { head: CallHead; arguments: string }[] = [];
    const tokens: Token[] = [];
    for (let index = 0; index < this.plan.outputTokens; index++) {
      const piece = this.plan.piece(index);
      if (this.#rules.seesTokens) tokens.push(tokenOf(piece, index));
      if (piece.channel === "reasoning") reasoning = (reasoning ?? "") + piece.text;
      else if (piece.channel === "content") text += piece.text;
      if (piece.call === null) continue;
      if (piece.callBegins) calls.push({ head: piece.call, arguments: "" });
      const call = calls.at(-1);
      if (call !== undefined) call.arguments += piece.text;
    }
    return { text, reasoning, calls, ending: this.plan.ending, tokens };
  }

  #open(writer: AnswerWriter, extras: Extras): string {
    if (this.#opened) return "";
    this.#opened = true;
    return writer.open(this.index, extras);
  }

  /** What the next token adds; `null` when nobody sees it. */
  #next(piece: Piece): Part | null {
    const { channel, text, call, callBegins } = piece;
    if (this.#rules.seesTokens) this.#held.push(tokenOf(piece, this.#framed));
    if (channel === null) return null;
    const part = this.#part({ channel, text, call, callBegins });
    if (this.#held.length > 0) this.#held = [];
    this.#chars += text.length;
    return part;
  }

  #part(said: Pick<Part, "channel" | "text" | "call" | "callBegins">): Part {
    const tokens = this.#held.length === 0 ? NO_TOKENS : this.#held;
    return { choice: this.index, ...said, tokens, offset: this.#chars };
  }

  #shown(writer: AnswerWriter, part: Part | null, extras: Extras): string {
    if (part === null) return "";
    const { framesEmptyText, seesTokens } = this.#rules;
    const speaks = part.text !== "" || part.callBegins || framesEmptyText || seesTokens;
    return speaks ? writer.add(part, extras) : "";
  }
}

function tokenOf(piece: Piece, index: number): Token {
  return { id: piece.id, text: piece.text, logprob: logprobOf(piece.id, index) };
}

/** One part for two that belong to the same run of text, or `null`. */
function mergedParts(part: Part, next: Part): Part | null {
  if (part.channel !== next.channel || part.call !== next.call || next.callBegins) return null;
  const tokens = next.tokens.length === 0 ? part.tokens : [...part.tokens, ...next.tokens];
  return { ...part, text: part.text + next.text, tokens };
}
