import type { JsonObject } from "../../engines/engine.ts";
import { integer, type Random } from "../../engines/random.ts";
import { type Material, NONCE_TOKENS } from "./material.ts";

export interface TokenIdOptions {
  /** Token ids of a text, as the engine's own tokenizer gave them; or a range of ids when it has none. */
  readonly corpus: readonly number[];
  readonly kind: "token-ids" | "random-ids";
  readonly promptOfTokens: (tokens: readonly number[]) => JsonObject;
  /** What the engine counts more than was sent: its begin mark. */
  readonly addedTokens: number;
}

/**
 * Prompts as lists of token ids to the text-completion route: exact by construction, with no tokenizer of our own
 * (vLLM, SGLang, TensorRT-LLM and llama.cpp all take `prompt` as integers).
 */
export function tokenIdMaterial(options: TokenIdOptions): Material {
  const { corpus, kind, promptOfTokens, addedTokens } = options;
  const distinct = [...new Set(corpus)];
  return {
    kind,
    route: "completions",
    piece(random, tokens) {
      const nonce = Math.min(NONCE_TOKENS, tokens);
      const ids: number[] = [];
      for (let index = 0; index < nonce; index++) ids.push(pick(random, distinct));
      // Then a slice of the text from somewhere, going round: prose is what drafts and experts are made for.
      const from = integer(random, corpus.length);
      for (let index = nonce; index < tokens; index++) {
        ids.push(kind === "random-ids" ? pick(random, distinct) : at(corpus, from + index));
      }
      return ids;
    },
    body: (pieces) => promptOfTokens(pieces.flat() as number[]),
    overheadTokens: () => addedTokens,
    learn: () => {},
  };
}

function pick(random: Random, ids: readonly number[]): number {
  return ids[integer(random, ids.length)] ?? 0;
}

function at(ids: readonly number[], index: number): number {
  return ids[index % ids.length] ?? 0;
}
