import type { ErrorKind } from "../../proxy/telemetry/error-kind.ts";
import { grouped } from "../format.ts";

/** Why a request failed, in the words of the board. */
const WORDS: Readonly<Record<ErrorKind, string>> = {
  connect: "could not connect",
  timeout: "timed out",
  engine: "engine said 5xx",
  cut: "cut by the engine",
  unavailable: "no replica free",
  other: "other",
};

export type ErrorCounts = Partial<Readonly<Record<ErrorKind, number>>>;

/** Where there is room for one word. */
export const SHORT_WORDS: Readonly<Record<ErrorKind, string>> = {
  connect: "connect",
  timeout: "timeout",
  engine: "5xx",
  cut: "cut",
  unavailable: "no replica",
  other: "other",
};

/** Kinds that occurred, the most frequent first. */
export function errorsByKind(
  counts: ErrorCounts,
  words: Readonly<Record<ErrorKind, string>> = WORDS,
): readonly (readonly [string, number])[] {
  return (Object.entries(counts) as [ErrorKind, number][])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([kind, count]) => [words[kind], count]);
}

/** The same as one sentence part; empty without any. */
export function sayErrors(counts: ErrorCounts): string {
  return errorsByKind(counts)
    .map(([words, count]) => `${grouped(count)} ${words}`)
    .join(", ");
}

/** Adds one count to another, or with −1 takes it out again. */
export function addErrors(
  to: Partial<Record<ErrorKind, number>>,
  more: ErrorCounts,
  sign: 1 | -1 = 1,
): void {
  for (const [kind, count] of Object.entries(more) as [ErrorKind, number][])
    to[kind] = (to[kind] ?? 0) + sign * count;
}
