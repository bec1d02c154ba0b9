/** One place settings come from: a file, the environment, the command line. */
export interface Layer {
  /** A tree of plain values in the schema's names; `{}` when nothing was given. */
  readonly value: Tree;
  /** Where the value at `path` was written, for messages; the layer's own name when it is not in it. */
  where(path: readonly PropertyKey[]): string;
}

export type Tree = { readonly [key: string]: unknown };

/** Whether a value is a tree rather than a leaf. */
export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at `path`, or `undefined`. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** The layers laid over each other, later ones winning leaf by leaf; a list replaces a list. */
export function overlay(layers: readonly Layer[]): Tree {
  return layers.reduce<Tree>((below, layer) => merge(below, layer.value), {});
}

/** Where the value at `path` was written: the topmost layer that holds it, or the nearest thing above it. */
export function whereOf(layers: readonly Layer[], path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length--) {
    const part = path.slice(0, length);
    const holder = layers.findLast((layer) => valueAt(layer.value, part) !== undefined);
    if (holder !== undefined) return holder.where(part);
  }
  return layers[0]?.where([]) ?? "configuration";
}

function merge(below: Tree, above: Tree): Tree {
  // Built from entries, so that a key named `__proto__` stays a key.
  const merged = new Map<string, unknown>(Object.entries(below));
  for (const [key, value] of Object.entries(above)) {
    const under = merged.get(key);
    merged.set(key, isTree(under) && isTree(value) ? merge(under, value) : value);
  }
  return Object.fromEntries(merged);
}
