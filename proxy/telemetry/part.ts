import { WHOLE_PREFIX } from "./ladder.ts";

/** Figures are told of one of these, never of both: probes are in none. */
export type Population = "real" | "synthetic";

/** What traffic can be broken down by. */
export const dimensions = ["model", "replica", "client"] as const;
export type Dimension = (typeof dimensions)[number];

/** Which part of the traffic is asked for: a population, whole or one label of one dimension. */
export interface Part {
  readonly population: Population;
  readonly model?: string;
  readonly replica?: string;
  readonly client?: string;
}

/** Name of a part's cell in a slot. */
export function partKey(part: Part): string {
  for (const dimension of dimensions) {
    const label = part[dimension];
    if (label !== undefined) return breakdownPrefix(part.population, dimension) + label;
  }
  return WHOLE_PREFIX + part.population;
}

/** What the names of all cells of a breakdown begin with; their labels follow. */
export function breakdownPrefix(population: Population, dimension: Dimension): string {
  return `${population}/${dimension}/`;
}
