import type { Random } from "../../engines/random.ts";
import type { Prompt, PromptSource } from "../target.ts";
import { words } from "./words.ts";

/** Tokens one short English word takes, space included, in the vocabularies of current models: about one. */
const TOKENS_PER_WORD = 1;
/** What a chat template adds. Close enough for traffic; a sweep calibrates instead. */
const TEMPLATE_TOKENS = 8;
/** A chat request of about a given size: the shape is real, the text is noise. */
export function shapedPrompt(
  shape: { readonly inputTokens: number; readonly outputTokens: number },
  random: Random,
): Prompt {
  const { inputTokens, outputTokens } = shape;
  const count = Math.max(1, Math.round((inputTokens - TEMPLATE_TOKENS) / TOKENS_PER_WORD));
  const content = words(random, count);
  return {
    route: "chat",
    body: { messages: [{ role: "user", content }] },
    inputTokens,
    outputTokens,
    session: null,
  };
}

/** Prompts of one size, each different from its first word on. */
export function uniformPrompts(shape: {
  readonly inputTokens: number;
  readonly outputTokens: number;
}): PromptSource {
  return { next: (random) => shapedPrompt(shape, random) };
}
