/** How many names a sentence offers: more than three are not read. */
const OFFERED = 3;

/** The known names most like a wanted one: those that share most of its parts first, then those with the fewest differing letters. */
export function nearest(wanted: string, known: readonly string[]): readonly string[] {
  const parts = partsOf(wanted);
  return known
    .map((name) => {
      const own = partsOf(name);
      const shared = parts.reduce((sum, part) => sum + likeness(part, own), 0);
      return { name, shared, edits: editsBetween(squeeze(wanted), squeeze(name)) };
    })
    .toSorted((a, b) => b.shared - a.shared || a.edits - b.edits)
    .slice(0, OFFERED)
    .map(({ name }) => name);
}

/** A family's name weighs more than a number, and survives one wrong letter. */
function likeness(part: string, own: readonly string[]): number {
  const isNumber = /^\d/.test(part);
  if (own.includes(part)) return isNumber ? 0.75 : 1;
  const isNear = part.length > 2 && own.some((other) => editsBetween(part, other) === 1);
  return isNear && !isNumber ? 0.9 : 0;
}

/** "a, b or c". */
export function eitherOf(names: readonly string[]): string {
  const [last] = names.slice(-1);
  return names.length < 2 ? (last ?? "") : `${names.slice(0, -1).join(", ")} or ${last}`;
}

/** Lower case without anything but letters and digits: names differ most in their dots, dashes and colons. */
export function squeeze(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** "Llama-3.1-8B" and "llama3.1:8b" have the same parts: llama, 3.1, 8b. */
function partsOf(name: string): readonly string[] {
  const short = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  return short.match(/\d+(?:\.\d+)?[a-z]?(?![a-z])|[a-z]+|\d+/g) ?? [];
}

/** Levenshtein distance, one row at a time. */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let index = 0; index < one.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < other.length; column++) {
      const swap = (row[column] ?? 0) + (one[index] === other[column] ? 0 : 1);
      next.push(Math.min(swap, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
