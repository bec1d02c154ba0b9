import type { CountedBy, OutcomeKind } from "../../engines/exchange.ts";
import type { Goodput } from "../live/frames.ts";
import { type ErrorKind, errorKinds } from "./error-kind.ts";
import { type FrozenSketch, mergeFrozen, Sketch } from "./sketch.ts";

/** What is counted of one part of the traffic in one slot of time; each is a sum, so slots and parts merge by adding. */
export const counters = [
  "started",
  "completed",
  "rejected",
  "failed",
  "cut",
  "cancelled",
  /** Met both goodput targets; the next three say which were missed. */
  "good",
  "slowTtft",
  "slowTpot",
  "slowBoth",
  "inputTokens",
  "cachedInputTokens",
  "outputTokens",
  "reasoningTokens",
  /** Further tries after a first one that reached nobody. */
  "retries",
  /** In flight at the end of each second, summed; over the seconds it is their mean. */
  "inFlightSum",
  /** Output tokens by how they were counted. */
  "outputTokens:usage",
  "outputTokens:token-ids",
  "outputTokens:timings",
  "outputTokens:logprobs",
  "outputTokens:tokenizer",
  "outputTokens:events",
  /** Failed or cut, by kind. New names go to the end: what is kept on disk is read by place. */
  "error:connect",
  "error:timeout",
  "error:engine",
  "error:cut",
  "error:unavailable",
  "error:other",
] as const;

export const distributions = [
  "ttft",
  "ttfb",
  "tpot",
  "itl",
  "stall",
  "e2e",
  "queue",
  "overhead",
] as const;

export type CounterName = (typeof counters)[number];
export type DistributionName = (typeof distributions)[number];

const COUNTER_AT = Object.fromEntries(counters.map((name, index) => [name, index])) as Record<
  CounterName,
  number
>;

/** A cell at rest. Never changed once made. */
export interface FrozenCell {
  readonly counts: Float64Array;
  /** In the order of {@link distributions}; `null` where nothing was observed. */
  readonly sketches: readonly (FrozenSketch | null)[];
}

/** One part of the traffic in one slot of time, being filled. */
export class Cell {
  readonly #counts = new Float64Array(counters.length);
  readonly #sketches: (Sketch | null)[] = distributions.map(() => null);

  count(name: CounterName, by = 1): void {
    const at = COUNTER_AT[name];
    this.#counts[at] = (this.#counts[at] ?? 0) + by;
  }

  get(name: CounterName): number {
    return this.#counts[COUNTER_AT[name]] ?? 0;
  }

  observe(name: DistributionName, value: number | null): void {
    if (value !== null) this.#sketchAt(distributions.indexOf(name)).add(Math.max(0, value));
  }

  /** Adds a whole distribution, such as the gaps inside one answer. */
  spread(name: DistributionName, sketch: Sketch): void {
    if (sketch.count > 0) this.#sketchAt(distributions.indexOf(name)).merge(sketch);
  }

  /** The distribution; an empty one when nothing was observed. */
  sketch(name: DistributionName): Sketch {
    return this.#sketches[distributions.indexOf(name)] ?? new Sketch();
  }

  merge(cell: FrozenCell): void {
    for (let index = 0; index < this.#counts.length; index++)
      this.#counts[index] = (this.#counts[index] ?? 0) + (cell.counts[index] ?? 0);
    for (const [index, sketch] of cell.sketches.entries())
      if (sketch !== null) this.#sketchAt(index).merge(sketch);
  }

  freeze(): FrozenCell {
    return {
      counts: this.#counts.slice(),
      sketches: this.#sketches.map((sketch) => sketch?.freeze() ?? null),
    };
  }

  #sketchAt(index: number): Sketch {
    return (this.#sketches[index] ??= new Sketch());
  }
}

/** One counter of a cell at rest. */
export function countOf(cell: FrozenCell, name: CounterName): number {
  return cell.counts[COUNTER_AT[name]] ?? 0;
}

/** One distribution of a cell at rest, sparse; empty when nothing was observed. */
export function binsOf(cell: FrozenCell, name: DistributionName): number[] {
  return [...(cell.sketches[distributions.indexOf(name)]?.pairs ?? [])];
}

/** Two cells at rest as one. One that an earlier release kept may have fewer counters. */
export function mergeCells(a: FrozenCell, b: FrozenCell): FrozenCell {
  return {
    counts: Float64Array.from(
      counters,
      (_, index) => (a.counts[index] ?? 0) + (b.counts[index] ?? 0),
    ),
    sketches: a.sketches.map((sketch, index) => {
      const other = b.sketches[index] ?? null;
      return sketch === null ? other : other === null ? sketch : mergeFrozen(sketch, other);
    }),
  };
}

/** About what a cell occupies in memory: its arrays, and the objects around them. */
export function bytesOf(cell: FrozenCell): number {
  let bytes = 320 + cell.counts.byteLength;
  for (const sketch of cell.sketches) if (sketch !== null) bytes += 200 + sketch.pairs.byteLength;
  return bytes;
}

/** What counts are read from: a cell, or one at rest. */
interface Counted {
  readonly get: (name: CounterName) => number;
}

const outcomeKinds = ["completed", "rejected", "failed", "cut", "cancelled"] as const;

/** How often each outcome occurred; those that did not are absent. */
export function endedOf(cell: Counted): Partial<Record<OutcomeKind, number>> {
  return Object.fromEntries(
    outcomeKinds.map((kind) => [kind, cell.get(kind)] as const).filter(([, count]) => count > 0),
  );
}

/** What failed or was cut, by kind; kinds that did not occur are absent. */
export function errorsOf(cell: Counted): Partial<Record<ErrorKind, number>> {
  return Object.fromEntries(
    errorKinds
      .map((kind) => [kind, cell.get(`error:${kind}`)] as const)
      .filter(([, count]) => count > 0),
  );
}

/** What completed, by the promise it broke. */
export function goodputOf(cell: Counted): Goodput {
  return {
    good: cell.get("good"),
    slowTtft: cell.get("slowTtft"),
    slowTpot: cell.get("slowTpot"),
    slowBoth: cell.get("slowBoth"),
  };
}

/** The counter of output tokens counted so; `none` has no tokens to count. */
export function countedByCounter(by: CountedBy): CounterName | null {
  return by === "none" ? null : `outputTokens:${by}`;
}
