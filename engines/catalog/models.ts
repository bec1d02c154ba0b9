import rows from "./data/models.json" with { type: "json" };

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
 * Finds a model by repository id, by the part after the slash, or by that part without its
 * `-Instruct` ending; case does not matter. `null` when the catalogue has none.
 */
export function findModel(name: string): Model | null {
  const wanted = name.toLowerCase();
  const short = (id: string): string => id.slice(id.indexOf("/") + 1).toLowerCase();
  const bare = (id: string): string => short(id).replace(/-(instruct|it|chat)\b.*$/, "");
  for (const key of [(id: string) => id.toLowerCase(), short, bare]) {
    const found = models.find((model) => key(model.id) === key(wanted));
    if (found !== undefined) return found;
  }
  return null;
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
