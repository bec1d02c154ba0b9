import type { Random } from "../../engines/random.ts";
import type { Material } from "./material.ts";
import { shortWords } from "./words.ts";

/** Tokens = template + perWord × words, as the engine counted them. */
export interface Calibration {
  readonly templateTokens: number;
  readonly tokensPerWord: number;
}

/** What a chat template adds and a short word costs when no engine says. */
export const ESTIMATE: Calibration = { templateTokens: 8, tokensPerWord: 1 };

/** Share of a miss that is corrected at once: one odd prompt must not move all that follow. */
const LEARNING = 0.25;

/** Chat prompts of short words, of a length calibrated by the engine's own counts and corrected by every answer. */
export function chatTextMaterial(
  kind: "calibrated-text" | "estimated-text",
  { templateTokens, tokensPerWord }: Calibration,
): Material {
  let template = templateTokens;
  return {
    kind,
    route: "chat",
    piece: (random: Random, tokens) =>
      shortWords(random, Math.max(1, Math.round(tokens / tokensPerWord))).split(" "),
    body: (pieces) => ({
      messages: pieces.map((piece, index) => ({
        role: index % 2 === 0 ? "user" : "assistant",
        content: piece.join(" "),
      })),
    }),
    // A template wraps every turn alike.
    overheadTokens: (turns) => Math.round(template) * turns,
    learn(asked, counted) {
      template += LEARNING * (counted - asked);
    },
  };
}

/** Fits a line through (words, counted tokens). `null` when the counts do not grow with the words. */
export function calibrate(
  probes: readonly { readonly words: number; readonly tokens: number }[],
): Calibration | null {
  const [first, last] = [probes[0], probes.at(-1)];
  if (first === undefined || last === undefined || last.words === first.words) return null;
  const tokensPerWord = (last.tokens - first.tokens) / (last.words - first.words);
  if (!(tokensPerWord > 0)) return null;
  return { tokensPerWord, templateTokens: Math.max(0, first.tokens - tokensPerWord * first.words) };
}
