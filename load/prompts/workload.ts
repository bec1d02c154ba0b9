import { type Shape, shapeName, readShape, ShapeError } from "./shape.ts";

/** What the requests of a sweep look like: one shape, a mix of them, or rows of a file. Plain data. */
export interface Workload {
  /** Stands for it in results: `1024x128`, `70%1024x128+30%128x1024`, `dataset:chat.jsonl`. */
  readonly name: string;
  /** Shapes and their weights; one of weight 1 for a plain shape. */
  readonly parts: readonly { readonly shape: Shape; readonly weight: number }[];
  /** Share of every prompt that is one of `prefixes` common beginnings; 0 for prompts that share nothing. */
  readonly prefixShare: number;
  readonly prefixes: number;
  /** Turns of a conversation, each holding all before it, and the pause between; one turn for single requests. */
  readonly turns: number;
  readonly thinkMs: number;
  /** File of prompts to draw from instead of making them. */
  readonly dataset: string | null;
}

/** Common beginnings of a workload that shares them: as many as busy services have system prompts. */
export const PREFIXES_DEFAULT = 8;

const PLAIN = { prefixShare: 0, prefixes: PREFIXES_DEFAULT, turns: 1, thinkMs: 0, dataset: null };

/** Every request of one shape, sharing nothing. */
export function plainWorkload(shape: Shape): Workload {
  return { name: shapeName(shape), parts: [{ shape, weight: 1 }], ...PLAIN };
}

/** Reads `70% 1024x128, 30% 128x1024`. @throws {ShapeError} */
export function readMix(text: string): Workload {
  const parts = text.split(",").map((part) => {
    const [, weight, shape] = /^\s*(\d+(?:\.\d+)?)%?\s+(\S+)\s*$/.exec(part) ?? [];
    if (weight === undefined || shape === undefined || Number(weight) <= 0) {
      throw new ShapeError(
        `"${part.trim()}" is no part of a mix: write a share and a shape, such as "70% 1024x128, 30% 128x1024".`,
      );
    }
    return { shape: readShape(shape), weight: Number(weight) };
  });
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const shares = parts.map(({ shape, weight }) => ({ shape, weight: weight / total }));
  const name = shares.map(({ shape, weight }) => `${Math.round(weight * 100)}%${shapeName(shape)}`);
  return { name: name.join("+"), parts: shares, ...PLAIN };
}

/** The mean shape, for estimates and for what is nominal in a mix. */
export function meanShape({ parts }: Workload): Shape {
  const mean = (of: (shape: Shape) => number): number =>
    Math.round(parts.reduce((sum, { shape, weight }) => sum + weight * of(shape), 0));
  return {
    inputTokens: mean((shape) => shape.inputTokens),
    outputTokens: mean((shape) => shape.outputTokens),
  };
}

/** The longest request a workload can make. */
export function longestTokens({ parts }: Workload): number {
  return Math.max(...parts.map(({ shape }) => shape.inputTokens + shape.outputTokens));
}
