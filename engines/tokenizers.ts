import type { JsonObject, TokenizerCall } from "./engine.ts";
import { parseFields, textOf } from "./json-fields.ts";

/** A call that answers with `tokens`, a list of ids: all engines write it so. */
export function tokenizeCall(
  path: string,
  request: (text: string, model: string) => JsonObject,
): TokenizerCall<string, readonly number[]> {
  return { path, request, read: readTokens };
}

/** A call that answers with the text under a name of the engine's own. */
export function detokenizeCall(
  path: string,
  name: string,
  request: (tokens: readonly number[], model: string) => JsonObject,
): TokenizerCall<readonly number[], string> {
  return { path, request, read: (body) => textOf(parseFields(body)?.[name]) };
}

/** llama.cpp writes `{"id","piece"}` in place of an id when asked for pieces. */
function readTokens(body: string): readonly number[] | null {
  const tokens = parseFields(body)?.["tokens"];
  if (!Array.isArray(tokens)) return null;
  const ids = tokens.map((token: unknown) =>
    typeof token === "object" && token !== null && "id" in token ? token.id : token,
  );
  return ids.every((id) => Number.isInteger(id)) ? (ids as number[]) : null;
}
