/** Input and output tokens of a request. */
export interface Shape {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Text that names no shape, with what was wrong and the form to use. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** Longest input or output taken for meant: the longest context any catalogued model has. */
const TOKENS_MAX = 10_000_000;

/** `1024x128`. */
export function shapeName({ inputTokens, outputTokens }: Shape): string {
  return `${inputTokens}x${outputTokens}`;
}

/** A request part of whose answer is behind it already: that part is in its prompt, and the rest is to come. */
export function agedShape({ inputTokens, outputTokens }: Shape, age: number): Shape {
  const behind = Math.min(outputTokens - 1, Math.floor(age * outputTokens));
  return { inputTokens: inputTokens + behind, outputTokens: outputTokens - behind };
}

/** Reads `1024x128` (or `1024/128`). @throws {ShapeError} naming the value and the form. */
export function readShape(text: string): Shape {
  const [, input, output] = /^(\d+)[x/](\d+)$/.exec(text.trim()) ?? [];
  const shape = { inputTokens: Number(input), outputTokens: Number(output) };
  const fits = (tokens: number): boolean => tokens >= 1 && tokens <= TOKENS_MAX;
  if (fits(shape.inputTokens) && fits(shape.outputTokens)) return shape;
  throw new ShapeError(`"${text}" is not a shape: write input x output tokens, such as 1024x128.`);
}

/**
 * Lists of shapes by name. `almanac-9` and its long tail are those of the published almanac of out-of-the-box engines
 * (modal-labs/big-benchmark, configs/full-suite.yaml); `inferencex` those of SemiAnalysisAI/InferenceX.
 */
export const shapeLists = {
  "almanac-9": "128x1024 1024x128 512x512 256x2048 2048x256 1024x1024 512x4096 4096x512 2048x2048",
  "almanac-long": "8192x512 16384x512 32768x512",
  interactive: "128x128 512x256 1024x128 4096x512 8192x1024",
  inferencex: "1024x1024 8192x1024",
} as const;

export type ShapeListName = keyof typeof shapeLists;

/**
 * Reads a list by name, a grid such as `128,1024 x 128,512`, or shapes separated by commas, into shapes in order of cost.
 * @throws {ShapeError}
 */
export function readShapes(text: string): readonly Shape[] {
  const name = text.trim();
  if (Object.hasOwn(shapeLists, name)) {
    return byCost(shapeLists[name as ShapeListName].split(" ").map(readShape));
  }
  const grid = /^([\d,\s]+)\s+x\s+([\d,\s]+)$/.exec(name);
  if (grid !== null) {
    const [inputs, outputs] = [numbers(grid[1]), numbers(grid[2])];
    return byCost(
      inputs.flatMap((input) => outputs.map((output) => readShape(`${input}x${output}`))),
    );
  }
  if (/^\d/.test(name)) return byCost(name.split(",").map(readShape));
  throw new ShapeError(
    `"${text}" is no list of shapes: choose ${Object.keys(shapeLists).join(", ")}, or write 1024x128,128x1024 or a grid "128,1024 x 128,512".`,
  );
}

/** Cheap shapes first: output tokens cost an engine several times what input tokens do. */
export function byCost(shapes: readonly Shape[]): readonly Shape[] {
  const unique = new Map(shapes.map((shape) => [shapeName(shape), shape]));
  return [...unique.values()].sort((a, b) => cost(a) - cost(b));
}

const OUTPUT_WEIGHT = 4;

function cost({ inputTokens, outputTokens }: Shape): number {
  return inputTokens + OUTPUT_WEIGHT * outputTokens;
}

function numbers(list: string | undefined): readonly string[] {
  return (list ?? "").split(",").map((part) => part.trim());
}
