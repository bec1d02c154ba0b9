import type { JsonObject, JsonValue } from "../../engine.ts";
import { BodyError } from "../body-error.ts";
import type { Pooling, PoolingRead, PoolingText, Refusal } from "./persona.ts";

/** Length of a vector when the client asks for none: what small embedding models have. */
const DIMENSIONS = 1024;
const DIMENSIONS_MAX = 8192;
/** Most texts of one request: vLLM and OpenAI stop at 2048. */
const TEXTS_MAX = 2048;

/** OpenAI embeddings: floats, or base64 of 32-bit floats. Keys and their order are each engine's own. */
export function embeddings(
  style: "vllm" | "sglang" | "llama.cpp",
  needs: Refusal | null = null,
): Pooling {
  return {
    needs,
    texts: (body) => textsOf(body["input"], "input"),
    answer(body, read) {
      const dimensions = dimensionsOf(body["dimensions"]);
      const vectors = read.tokens.map((_, index) =>
        encoded(read.vector(index, dimensions), body["encoding_format"]),
      );
      const { model, id, created } = read;
      const data = vectors.map((embedding, index) => ({ embedding, index, object: "embedding" }));
      if (style === "llama.cpp") {
        const tokens = sum(read.tokens);
        const counted = { prompt_tokens: tokens, total_tokens: tokens };
        return { model, object: "list", usage: counted, data };
      }
      if (style === "sglang") {
        const counted = { ...usage(read), reasoning_tokens: 0 };
        return { data, model, object: "list", usage: counted };
      }
      const cards = vectors.map((embedding, index) => ({ index, object: "embedding", embedding }));
      return {
        id: `embd-${id}`,
        object: "list",
        created,
        model,
        data: cards,
        usage: usage(read),
      };
    },
  };
}

/** Cohere's and Jina's rerank, as vLLM, SGLang and llama.cpp write it. */
export function rerank(
  style: "jina" | "sglang" | "llama.cpp",
  needs: Refusal | null = null,
): Pooling {
  return {
    needs,
    texts: (body) => [
      ...textsOf(body["query"], "query"),
      ...textsOf(body["documents"], "documents"),
    ],
    answer(body, read) {
      const documents = textsOf(body["documents"], "documents");
      const top = typeof body["top_n"] === "number" ? body["top_n"] : documents.length;
      const ranked = documents
        .map((text, index) => ({ index, text: String(text), score: read.score(0, index + 1) }))
        .toSorted((a, b) => b.score - a.score)
        .slice(0, top);
      return rerankAnswer(style, ranked, read);
    },
  };
}

interface Ranked {
  readonly index: number;
  readonly text: string;
  readonly score: number;
}

function rerankAnswer(
  style: "jina" | "sglang" | "llama.cpp",
  ranked: readonly Ranked[],
  read: PoolingRead,
): JsonValue {
  if (style === "sglang")
    return ranked.map(({ index, text, score }) => ({
      score,
      document: text,
      index,
      meta_info: { id: read.id, prompt_tokens: read.tokens[index + 1] ?? 0 },
    }));
  if (style === "llama.cpp")
    return {
      model: read.model,
      object: "list",
      usage: usage(read),
      results: ranked.map(({ index, score }) => ({ index, relevance_score: score })),
    };
  return {
    id: `rerank-${read.id}`,
    model: read.model,
    usage: { prompt_tokens: sum(read.tokens), total_tokens: sum(read.tokens) },
    results: ranked.map(({ index, text, score }) => ({
      index,
      document: { text, multi_modal: null },
      relevance_score: score,
    })),
  };
}

/** vLLM's score: one text against each of the others. */
export const score: Pooling = {
  needs: null,
  texts: (body) => {
    const one = textsOf(body["text_1"] ?? body["queries"], "text_1");
    return [...one, ...textsOf(body["text_2"] ?? body["documents"], "text_2")];
  },
  answer(body, read) {
    const first = textsOf(body["text_1"] ?? body["queries"], "text_1").length;
    const others = read.tokens.length - first;
    return {
      id: `score-${read.id}`,
      object: "list",
      created: read.created,
      model: read.model,
      data: Array.from({ length: others }, (_, index) => ({
        index,
        object: "score",
        score: read.score(first === others ? index : 0, first + index),
      })),
      usage: usage(read),
    };
  },
};

/** SGLang's score: chances of labels after a query and each item. */
export const labelScores: Pooling = {
  needs: null,
  texts: (body) => textsOf(body["items"], "items"),
  answer(body, read) {
    const labels = body["label_token_ids"];
    const count = Array.isArray(labels) ? labels.length : 1;
    return {
      scores: read.tokens.map((_, index) =>
        Array.from({ length: count }, (_, label) => read.score(index, index + label + 1) / count),
      ),
      model: read.model,
      usage: usage(read),
      object: "scoring",
    };
  },
};

function textsOf(value: unknown, param: string): readonly PoolingText[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value) && value.length > 0 && value.length <= TEXTS_MAX) {
    if (value.every((one) => typeof one === "number")) return [value];
    return value.map((one: unknown) => {
      if (typeof one === "string") return one;
      if (Array.isArray(one) && one.every((id) => typeof id === "number")) return one;
      const text = (one as JsonObject | null)?.["text"];
      if (typeof text === "string") return text;
      throw new BodyError(param, `${param} must hold texts or lists of token ids.`);
    });
  }
  throw new BodyError(param, `${param} must be a text, or a list of up to ${TEXTS_MAX} texts.`);
}

function dimensionsOf(value: unknown): number {
  if (value === undefined || value === null) return DIMENSIONS;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= DIMENSIONS_MAX)
    return value as number;
  throw new BodyError(
    "dimensions",
    `dimensions must be a whole number from 1 to ${DIMENSIONS_MAX}, got ${JSON.stringify(value)}.`,
  );
}

function encoded(vector: readonly number[], format: unknown): JsonValue {
  if (format !== "base64") return vector;
  return Buffer.from(Float32Array.from(vector).buffer).toString("base64");
}

function usage(read: PoolingRead): JsonObject {
  const tokens = sum(read.tokens);
  return {
    prompt_tokens: tokens,
    total_tokens: tokens,
    completion_tokens: 0,
    prompt_tokens_details: null,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
