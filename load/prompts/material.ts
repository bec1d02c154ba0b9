import type { JsonObject } from "../../engines/engine.ts";
import type { Random } from "../../engines/random.ts";
import type { Prompt } from "../target.ts";

/** A piece of a prompt: token ids or words, whichever the material is made of. */
export type Piece = readonly number[] | readonly string[];

/**
 * What prompts of exact length are made of. `token-ids` is exact by construction, `calibrated-text` by what the engine
 * counted, `estimated-text` is a guess and every point says so.
 */
export interface Material {
  readonly kind: "token-ids" | "random-ids" | "calibrated-text" | "estimated-text";
  readonly route: Prompt["route"];
  /** About `tokens` tokens that nobody has sent before; equal random sequences give equal pieces. */
  piece(random: Random, tokens: number): Piece;
  /** The request of one or more pieces: a user's turn, the answer to it, the next turn, … */
  body(pieces: readonly Piece[]): JsonObject;
  /** Tokens the engine adds to one turn: begin mark, template. */
  overheadTokens(turns: number): number;
  /** An answer said how long a prompt really was. */
  learn(askedTokens: number, countedTokens: number): void;
}

/** Tokens of a piece that come first and differ in every prompt: caches chain their hashes from token 0. */
export const NONCE_TOKENS = 16;
