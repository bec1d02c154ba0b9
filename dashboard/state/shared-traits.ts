import type { EndedRow } from "../../proxy/live/frames.ts";
import { shortModel } from "../format.ts";

/** Something requests have in common, and how much more often inside the selection than outside it. */
export interface Trait {
  readonly name: string;
  readonly value: string;
  readonly inside: number;
  readonly outside: number;
  /** Share inside less share outside: 1 means all of these and none of the others. */
  readonly lift: number;
  /** How the request list is filtered by it; `null` where it cannot be. */
  readonly filter: readonly [name: string, value: string] | null;
}

/** Fewer requests than this share something by chance. */
export const SELECTION_MIN = 5;
/** Smaller differences are noise in a list of this size. */
const LIFT_MIN = 0.15;
const TRAITS_MAX = 6;

type Reader = (row: EndedRow) => readonly [value: string, filter: string | null] | null;

const READERS: Readonly<Record<string, Reader>> = {
  replica: (row) => (row.replica === null ? null : [row.replica, row.replica]),
  model: (row) => [shortModel(row.model), row.model],
  client: (row) => (row.client === null ? null : [row.client, row.client]),
  outcome: (row) => [row.outcome, row.outcome],
  "prompt length": (row) => (row.inputTokens === null ? null : [band(row.inputTokens), null]),
  "answer length": (row) => (row.outputTokens === null ? null : [band(row.outputTokens), null]),
  "prefix cache": (row) =>
    row.cachedInputTokens === null ? null : [row.cachedInputTokens > 0 ? "hit" : "missed", null],
  tries: (row) => [row.attempts > 1 ? "more than one" : "one", null],
  second: (row) => [new Date(row.startedMs).toISOString().slice(11, 16), null],
};

/** What the selected requests share that the others do not, most telling first. */
export function sharedTraits(
  selected: readonly EndedRow[],
  others: readonly EndedRow[],
): readonly Trait[] {
  if (selected.length < SELECTION_MIN || others.length === 0) return [];
  const traits = Object.entries(READERS).flatMap(([name, read]) =>
    traitsOf(name, read, selected, others),
  );
  return traits
    .filter(({ lift }) => lift >= LIFT_MIN)
    .sort((a, b) => b.lift - a.lift)
    .slice(0, TRAITS_MAX);
}

function traitsOf(
  name: string,
  read: Reader,
  selected: readonly EndedRow[],
  others: readonly EndedRow[],
): readonly Trait[] {
  const inside = count(selected, read);
  const outside = count(others, read);
  return [...inside].map(([value, { times, filter }]) => {
    const within = times / selected.length;
    const without = (outside.get(value)?.times ?? 0) / others.length;
    return {
      name: name === "second" ? "minute" : name,
      value,
      inside: within,
      outside: without,
      lift: within - without,
      filter: filter === null ? null : [name, filter],
    };
  });
}

function count(
  rows: readonly EndedRow[],
  read: Reader,
): ReadonlyMap<string, { readonly times: number; readonly filter: string | null }> {
  const counts = new Map<string, { times: number; readonly filter: string | null }>();
  for (const row of rows) {
    const found = read(row);
    if (found === null) continue;
    const [value, filter] = found;
    const known = counts.get(value);
    if (known === undefined) counts.set(value, { times: 1, filter });
    else known.times++;
  }
  return counts;
}

/** Lengths by powers of four: bands a person can name. */
function band(tokens: number): string {
  const borders = [64, 256, 1_024, 4_096, 16_384, 65_536];
  const below = borders.findIndex((border) => tokens < border);
  if (below === 0) return `under ${borders[0]} tokens`;
  const from = borders[(below === -1 ? borders.length : below) - 1];
  return below === -1 ? `${from} tokens and more` : `${from} to ${borders[below]} tokens`;
}
