/** Models whose lengths are remembered; names come from clients, so there is an end to them. */
const MODELS_MAX = 256;
/** Weight of the newest answer: about the last thirty count. */
const NEWEST = 1 / 30;

/** How long answers of a model usually are, for saying what a client that left has saved. */
export class AnswerLengths {
  readonly #tokens = new Map<string, number>();

  note(model: string, tokens: number): void {
    const before = this.#tokens.get(model);
    if (before === undefined && this.#tokens.size >= MODELS_MAX) return;
    this.#tokens.set(model, before === undefined ? tokens : before + NEWEST * (tokens - before));
  }

  /** Tokens to be expected of an answer that may have up to `tokensMax`; `null` when nothing is known. */
  expected(model: string, tokensMax: number | null): number | null {
    const typical = this.#tokens.get(model);
    if (typical === undefined) return tokensMax;
    return Math.round(tokensMax === null ? typical : Math.min(typical, tokensMax));
  }
}
