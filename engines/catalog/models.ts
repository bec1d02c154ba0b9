import rows from "./data/models.json" with { type: "json" };
import { eitherOf, nearest, squeeze } from "./nearest.ts";

/** A decoder-only transformer, as far as its speed and memory depend on it. */
export interface Model {
  /** Repository id. */
  readonly id: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the dense feed-forward block; 0 where every layer is a mixture. */
  readonly ffn: number;
  readonly vocab: number;
  /** Longest input + output in tokens. */
  readonly contextTokens: number;
  readonly experts?: Experts;
  /** Latent attention: what is kept per token and layer instead of keys and values. */
  readonly latent?: { readonly rank: number; readonly ropeDim: number; readonly queryRank: number };
  /** Share of layers that see only the last `tokens`. */
  readonly window?: { readonly share: number; readonly tokens: number };
  readonly tiedEmbeddings?: true;
  /** Normalised queries and keys cost an extra kernel per layer. */
  readonly qkNorm?: true;
  /** Published only in this weight type. */
  readonly nativeType?: WeightType;
}

export interface Experts {
  readonly count: number;
  readonly active: number;
  readonly ffn: number;
  /** Width of the expert every token visits. */
  readonly sharedFfn?: number;
  /** Layers that have the dense block instead. */
  readonly denseLayers?: number;
}

export type WeightType = "bf16" | "fp8" | "mxfp4";

/** Bytes per weight; MXFP4 includes its scales. */
export const WEIGHT_BYTES: Record<WeightType, number> = { bf16: 2, fp8: 1, mxfp4: 0.531_25 };

/** Shapes from the models' published `config.json`. */
export const models = rows as readonly Model[];

/**
 * Finds a model by repository id or by what people and engines call it: the part after the slash, with or without the endings that
 * name its tuning and its weight type, dots, dashes and colons as they come ("llama3.1:8b", "Meta-Llama-3.1-8B-Instruct-FP8").
 * `null` when the catalogue has none: {@link nearest} has suggestions.
 */
export function findModel(name: string): Model | null {
  for (const key of KEYS) {
    const wanted = key(name);
    const found = wanted === "" ? undefined : models.find((model) => key(model.id) === wanted);
    if (found !== undefined) return found;
  }
  return null;
}

/** What one sentence can say of a name the catalogue has not. */
export function unknownModel(name: string): string {
  const offered = nearest(
    name,
    models.map((model) => model.id),
  );
  return `model "${name}" is not in the catalogue: did you mean ${eitherOf(offered)}?`;
}

/** Endings that say how weights are stored or packed, not what they are. */
const PACKING =
  /[-_.:]?(fp8(-(dynamic|block))?|bf16|nvfp4|w8a8|awq|gptq(-int[48])?|bnb-4bit|gguf|q\d(_[01]|_k(_[sml])?)?)$/;
/** Endings that say how it was tuned to talk. */
const TUNING = /-(instruct|it|chat)(-v?[\d.]+|-hf|-\d{4})*$/;

/** From the most exact reading of a name to the loosest; the first that finds something wins. */
const KEYS: readonly ((name: string) => string)[] = [
  (name) => name.toLowerCase(),
  (name) => shortOf(name),
  (name) => squeeze(unpacked(shortOf(name))),
  (name) => squeeze(unpacked(shortOf(name)).replace(TUNING, "")),
];

function shortOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).toLowerCase();
}

function unpacked(short: string): string {
  const bare = short.replace(/^meta-/, "").replace(PACKING, "");
  return bare === short ? bare : unpacked(bare);
}

/** Weights in parameters: all of them, and those outside the expert blocks. */
export function parameters(model: Model): {
  readonly total: number;
  readonly outsideExperts: number;
} {
  const { layers, hidden, ffn, vocab, experts } = model;
  const embedding = vocab * hidden * (model.tiedEmbeddings === true ? 1 : 2);
  const denseLayers = experts === undefined ? layers : (experts.denseLayers ?? 0);
  const mixedLayers = layers - denseLayers;
  const shared = 3 * hidden * (experts?.sharedFfn ?? 0) * mixedLayers;
  const outside =
    embedding + layers * attentionParameters(model) + denseLayers * 3 * hidden * ffn + shared;
  const inside = mixedLayers * (experts?.count ?? 0) * 3 * hidden * (experts?.ffn ?? 0);
  return { total: outside + inside, outsideExperts: outside };
}

/** Weights of one attention block. */
export function attentionParameters({ hidden, heads, kvHeads, headDim, latent }: Model): number {
  if (latent === undefined) return hidden * headDim * (2 * heads + 2 * kvHeads);
  const { rank, ropeDim, queryRank } = latent;
  const query = hidden * queryRank + queryRank * heads * (headDim + ropeDim);
  const keyValue = hidden * (rank + ropeDim) + rank * heads * 2 * headDim;
  return query + keyValue + heads * headDim * hidden;
}

/** Bytes of weights over all GPUs; embeddings and LM head stay bf16. */
export function weightBytes(model: Model, type: WeightType): number {
  const { total } = parameters(model);
  const embedding = model.vocab * model.hidden * (model.tiedEmbeddings === true ? 1 : 2);
  return embedding * WEIGHT_BYTES.bf16 + (total - embedding) * WEIGHT_BYTES[type];
}

/** Bytes of KV cache one token takes on one GPU of a tensor-parallel group of `tp`. */
export function kvBytesPerToken(model: Model, tp: number, bytes = WEIGHT_BYTES.bf16): number {
  const { layers, kvHeads, headDim, latent } = model;
  if (latent !== undefined) return layers * (latent.rank + latent.ropeDim) * bytes;
  return layers * 2 * Math.max(kvHeads / tp, 1) * headDim * bytes;
}
