import type { InferenceBody } from "./inference-body.ts";
import type { CallHead, Channel, Ending } from "./personas/answer-writer.ts";
import { hashText, piecesOf, wordOf } from "./text.ts";
import { valueOf } from "./tool-arguments.ts";

/** What one output token says. */
export interface Piece {
  /** `null` for tokens nobody sees: marks around a tool call, the end of the sequence. */
  readonly channel: Channel | null;
  readonly text: string;
  readonly id: number;
  readonly call: CallHead | null;
  readonly callBegins: boolean;
}

interface Section {
  readonly tokens: number;
  at(index: number): Piece;
}

/** Token that ends a turn, as Llama 3 numbers it. */
export const END_ID = 128_009;
/** Share of an answer that is thinking aloud, and its length when the answer itself is short. */
const REASONING_SHARE = 0.4;
const REASONING_TOKENS = 24;
/** Tokens around a call that name it and show nothing. */
const CALL_MARKS = 2;

/** Bounds the desk has worked out for a choice. */
export interface PlanBounds {
  /** Most tokens there is room for. */
  readonly tokensMax: number;
  /** Length of a plain answer that ends by itself. */
  readonly naturalTokens: number;
}

/**
 * The answer of one choice, decided before its first token: how long, on which channels, in which words, and why it
 * ends. Depends on the request alone, so the same request is answered alike by whoever asks.
 */
export class AnswerPlan {
  readonly outputTokens: number;
  readonly ending: Ending;
  readonly reasoningTokens: number;
  readonly #sections: readonly Section[];

  constructor(body: InferenceBody, key: number, bounds: PlanBounds) {
    const calls = body.wish.calls.map((call, index) => callSection({ call, index, key }));
    const fixed = body.wish.schema === null ? calls : [jsonSection(body.wish.schema, key)];
    const fixedTokens = fixed.reduce((sum, section) => sum + section.tokens, 0);
    const thinking = body.wish.reasons ? REASONING_TOKENS : 0;
    const natural = naturalTokens(body, bounds, fixedTokens + thinking);
    const wanted = Math.max(natural, body.outputTokensMin);
    const fits =
      natural >= body.outputTokensMin
        ? natural <= bounds.tokensMax
        : body.outputTokensMin < bounds.tokensMax;
    const ends = !body.ignoresEnd && fits;
    const total = ends ? wanted : bounds.tokensMax;
    const spoken = total - (ends ? 1 : 0);
    const free = Math.max(0, spoken - fixedTokens);
    const reasoning = body.wish.reasons
      ? Math.min(spoken, Math.max(1, fixedTokens > 0 ? free : Math.round(free * REASONING_SHARE)))
      : 0;
    const words = Math.max(0, spoken - reasoning - fixedTokens);
    const sections: Section[] = [
      wordSection("reasoning", reasoning, key ^ 0x5bd1e995),
      ...(body.wish.schema === null ? [wordSection("content", words, key), ...fixed] : fixed),
      ...(body.wish.schema === null ? [] : [padSection(words)]),
      silentSection(1, END_ID),
    ];
    const cut =
      body.stop.length + body.stopIds.length === 0 ? null : cutAtStop(sections, body, total);
    this.#sections = cut?.sections ?? sections;
    this.outputTokens = cut?.tokens ?? total;
    this.ending = cut?.ending ?? {
      reason: reasonOf(ends, calls, spoken - reasoning >= fixedTokens),
      matched: null,
    };
    this.reasoningTokens = Math.min(reasoning, this.outputTokens);
  }

  /** Token `index` of the answer. */
  piece(index: number): Piece {
    let at = index;
    for (const section of this.#sections) {
      if (at < section.tokens) return section.at(at);
      at -= section.tokens;
    }
    return SILENT_END;
  }
}

/** Log-probability of a token, from its place alone. */
export function logprobOf(id: number, index: number): number {
  return -((Math.imul(id ^ index, 0x9e3779b1) >>> 8) % 3000) / 1000;
}

const SILENT_END: Piece = { channel: null, text: "", id: END_ID, call: null, callBegins: false };

function naturalTokens(body: InferenceBody, bounds: PlanBounds, fixedTokens: number): number {
  if (body.wish.empty) return 1;
  const isFixed = body.wish.calls.length > 0 || body.wish.schema !== null;
  return isFixed ? fixedTokens + 1 : Math.max(2, bounds.naturalTokens);
}

function reasonOf(ends: boolean, calls: readonly Section[], callsWhole: boolean): Ending["reason"] {
  if (calls.length > 0 && callsWhole) return "tool_calls";
  return ends ? "stop" : "length";
}

function wordSection(channel: Channel, tokens: number, key: number): Section {
  return {
    tokens,
    at(index) {
      const text = wordOf(key, index);
      return { channel, text, id: hashText(text), call: null, callBegins: false };
    },
  };
}

/** Blanks after a JSON text that was forced to be longer than it is. */
function padSection(tokens: number): Section {
  const piece: Piece = {
    channel: "content",
    text: " ",
    id: hashText(" "),
    call: null,
    callBegins: false,
  };
  return { tokens, at: () => piece };
}

function silentSection(tokens: number, id: number): Section {
  return { tokens, at: () => ({ ...SILENT_END, id }) };
}

function jsonSection(schema: unknown, key: number): Section {
  const pieces = piecesOf(JSON.stringify(valueOf(schema, key)));
  return {
    tokens: pieces.length,
    at: (index) => {
      const text = pieces[index] ?? "";
      return { channel: "content", text, id: hashText(text), call: null, callBegins: false };
    },
  };
}

/** A call: its name behind a mark that shows nothing, its arguments piece by piece, a closing mark. */
function callSection({
  call,
  index,
  key,
}: {
  readonly call: { readonly name: string; readonly parameters: unknown };
  readonly index: number;
  readonly key: number;
}): Section {
  const head: CallHead = {
    index,
    id: `call_${(Math.imul(key + index + 1, 0x85ebca6b) >>> 0).toString(16).padStart(8, "0")}`,
    name: call.name,
  };
  const pieces = piecesOf(JSON.stringify(valueOf(call.parameters, key + index)));
  const tokens = pieces.length + 1 + CALL_MARKS;
  return {
    tokens,
    at(at) {
      if (at === 0 || at === tokens - 1) return { ...SILENT_END, id: hashText("<tool_call>") };
      if (at === 1)
        return { channel: "tool", text: "", id: hashText(call.name), call: head, callBegins: true };
      const text = pieces[at - 2] ?? "";
      return { channel: "tool", text, id: hashText(text), call: head, callBegins: false };
    },
  };
}

/** Finds where a stop string or id ends the content, and what is shown of it until then. */
function cutAtStop(
  sections: readonly Section[],
  body: InferenceBody,
  total: number,
): { sections: readonly Section[]; tokens: number; ending: Ending } | null {
  const pieces: Piece[] = sections.flatMap((section) =>
    Array.from({ length: Math.min(section.tokens, total) }, (_, index) => section.at(index)),
  );
  let text = "";
  let shown = 0;
  for (const [index, piece] of pieces.entries()) {
    if (piece.channel !== "content") continue;
    text += piece.text;
    const early = index + 1 < body.outputTokensMin;
    if (!early && body.stopIds.includes(piece.id)) {
      pieces[index] = { ...piece, text: text.slice(shown, text.length - piece.text.length) };
      return cut(pieces, index, piece.id);
    }
    const stop = early ? null : earliest(text, text.length - piece.text.length, body.stop);
    if (stop !== null) {
      const end = stop.at + (body.stopShown ? stop.text.length : 0);
      pieces[index] = { ...piece, text: text.slice(shown, Math.max(shown, end)) };
      return cut(pieces, index, stop.text);
    }
    // What may yet become a stop string is held back, as every engine does.
    const safe = index + 1 >= total ? text.length : text.length - heldChars(text, body.stop);
    pieces[index] = { ...piece, text: text.slice(shown, Math.max(shown, safe)) };
    shown = Math.max(shown, safe);
  }
  return null;
}

function cut(
  pieces: readonly Piece[],
  last: number,
  matched: string | number,
): { sections: readonly Section[]; tokens: number; ending: Ending } {
  const section: Section = { tokens: last + 1, at: (index) => pieces[index] ?? SILENT_END };
  return { sections: [section], tokens: last + 1, ending: { reason: "stop", matched } };
}

/** The first stop string that ends in the text added last. */
function earliest(
  text: string,
  addedFrom: number,
  stops: readonly string[],
): { at: number; text: string } | null {
  let best: { at: number; text: string } | null = null;
  for (const stop of stops) {
    const at = text.indexOf(stop, Math.max(0, addedFrom - stop.length + 1));
    if (at !== -1 && (best === null || at < best.at)) best = { at, text: stop };
  }
  return best;
}

/** Length of the longest end of the text that begins a stop string. */
function heldChars(text: string, stops: readonly string[]): number {
  let held = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > held; length--)
      if (text.endsWith(stop.slice(0, length))) held = length;
  }
  return held;
}
