import type { InferenceRoute } from "./exchange.ts";

/** Routes of the OpenAI API itself: every dialect has these. */
export const OPENAI_ROUTES: Readonly<Record<string, InferenceRoute>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
  "/v1/responses": "responses",
  "/v1/embeddings": "embeddings",
};

/** Anthropic's messages, where an engine serves them; counting is the tokenizer's work. */
export const MESSAGES_ROUTES: Readonly<Record<string, InferenceRoute>> = {
  "/v1/messages": "messages",
  "/v1/messages/count_tokens": "tokenize",
};

/** Every route with a known meaning, over all engines and their spellings. */
const ROUTES: Readonly<Record<string, InferenceRoute>> = {
  ...OPENAI_ROUTES,
  ...MESSAGES_ROUTES,
  "/v1/rerank": "rerank",
  "/v1/reranking": "rerank",
  "/v1/score": "rerank",
  "/v2/rerank": "rerank",
  "/rerank": "rerank",
  "/reranking": "rerank",
  "/score": "rerank",
  "/v1/tokenize": "tokenize",
  "/v1/detokenize": "tokenize",
  "/tokenize": "tokenize",
  "/detokenize": "tokenize",
  "/_internal/tokenize": "tokenize",
  "/v1/chat/completions/input_tokens": "tokenize",
  "/v1/responses/input_tokens": "tokenize",
};

/** The route of a path; `other` for what has no meaning to us: it travels unread and is recorded. */
export function routeOfPath(path: string): InferenceRoute {
  return (Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined) ?? "other";
}
