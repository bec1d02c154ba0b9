import type { JsonObject, JsonValue } from "../../engine.ts";
import { hashText } from "../text.ts";
import type { Answer, Token } from "./answer-writer.ts";

/** Most alternatives a token is shown with. */
const ALTERNATIVES_MAX = 20;

interface Alternative {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** `logprobs` of a chat choice as OpenAI writes it; `null` when not asked for. */
export function chatLogprobs(answer: Answer, tokens: readonly Token[]): JsonValue {
  const { logprobs } = answer.wishes;
  if (logprobs === null) return null;
  return {
    content: tokens.map((token) => ({
      ...alternative(token.text, token.logprob),
      top_logprobs: alternatives(token, logprobs).map((one) => ({ ...one })),
    })),
  };
}

/** llama.cpp's form of the same: each with its id. */
export function chatLogprobsWithIds(tokens: readonly Token[], wanted: number): JsonValue {
  return {
    content: tokens.map((token) => ({
      ...withId(token.id, alternative(token.text, token.logprob)),
      top_logprobs: alternatives(token, wanted).map((one) => withId(hashText(one.token), one)),
    })),
  };
}

/** `logprobs` of a text completion; `null` when not asked for. */
export function textLogprobs(answer: Answer, tokens: readonly Token[], offset: number): JsonValue {
  const { logprobs } = answer.wishes;
  if (logprobs === null) return null;
  let at = offset;
  const offsets = tokens.map((token) => {
    const here = at;
    at += token.text.length;
    return here;
  });
  return {
    text_offset: offsets,
    token_logprobs: tokens.map((token) => token.logprob),
    tokens: tokens.map((token) => token.text),
    top_logprobs: tokens.map((token) =>
      Object.fromEntries(
        [{ token: token.text, logprob: token.logprob }, ...alternatives(token, logprobs)].map(
          (one) => [one.token, one.logprob],
        ),
      ),
    ),
  };
}

export function idsOf(answer: Answer, tokens: readonly Token[]): readonly number[] | null {
  return answer.wishes.tokenIds ? tokens.map((token) => token.id) : null;
}

/** The token itself first, then what came next in likelihood. */
function alternatives(token: Token, wanted: number): readonly Alternative[] {
  return Array.from({ length: Math.min(wanted, ALTERNATIVES_MAX) }, (_, rank) =>
    rank === 0
      ? alternative(token.text, token.logprob)
      : alternative(` ${rank}`, Math.round((token.logprob - rank * 0.7) * 1e4) / 1e4),
  );
}

/** In the order llama.cpp writes them. */
function withId(id: number, { token, bytes, logprob }: Alternative): JsonObject {
  return { id, token, bytes, logprob };
}

function alternative(token: string, logprob: number): Alternative {
  return { token, logprob, bytes: [...Buffer.from(token)] };
}
