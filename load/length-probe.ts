import type { Engine, JsonObject } from "../engines/engine.ts";
import type { Post } from "./prompts/choose-material.ts";

/** Fields of a forced length that some engine or version refuses, in the order they are given up. */
const GIVEN_UP = ["min_tokens", "ignore_eos"] as const;
/** Unusual enough not to be where an answer ends by itself. */
const TRIED_TOKENS = 3;

/**
 * Fields of a forced length this engine answers with 400 to, found with at most three requests of three tokens: they are
 * left out from then on. Empty when it takes them all, or answers something that more requests would not mend.
 */
export async function refusedFields(
  post: Post,
  about: { readonly engine: Engine; readonly model: string },
): Promise<readonly string[]> {
  const { engine, model } = about;
  const ask = { model, messages: [{ role: "user", content: "Hello" }] };
  const refused: string[] = [];
  for (const next of [...GIVEN_UP, null]) {
    const body = withoutFields(engine.forceLength(ask, TRIED_TOKENS), refused);
    const { status } = await post("/v1/chat/completions", body);
    if (status !== 400) return refused;
    if (next !== null) refused.push(next);
  }
  return [];
}

/** A body without some of its fields. */
export function withoutFields(body: JsonObject, names: readonly string[]): JsonObject {
  if (names.length === 0) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
}
