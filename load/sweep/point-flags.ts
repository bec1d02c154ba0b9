import type { Point, PointFlag } from "../results/point.ts";
import { samplesNeeded } from "../statistics/percentile.ts";

/** Prompt tokens found in a cache, above which a point measured the cache. */
const CACHED_SHARE_MAX = 0.01;
/** Share of requests that must have the length asked for. */
const ON_TARGET_MIN = 0.99;
/** Little's law off by more, and the window was not in balance. */
const LITTLE_ERROR_MAX = 0.1;

type Unflagged = Omit<Point, "flags" | "warnings">;

/** What a reader must know before leaning on a point, in closed words. */
export function flagsOf(
  point: Unflagged,
  about: { readonly capped: number; readonly clientBound: boolean },
): readonly PointFlag[] {
  const { countedBy, inputTokens, outputTokens } = point;
  const estimated = Object.keys(countedBy).some((by) => by === "events" || by === "none");
  const flags: readonly (readonly [PointFlag, boolean])[] = [
    ["saturated", point.saturated],
    ["client-bound", about.clientBound],
    ["capped", about.capped > 0],
    ["cache-warm", (point.cachedInputShare ?? 0) >= CACHED_SHARE_MAX],
    ["off-target-output", (outputTokens.onTarget ?? 1) < ON_TARGET_MIN],
    ["off-target-input", (inputTokens.onTarget ?? 1) < ON_TARGET_MIN],
    ["estimated-tokens", estimated],
    ["too-few-samples", point.n < samplesNeeded(0.5)],
    ["not-steady", (point.littleError ?? 0) > LITTLE_ERROR_MAX && point.mode === "open"],
    ["censored", point.censored > 0],
    ["failures", point.failed > 0],
    ["undecided", point.verdicts.some(({ verdict }) => verdict === "undecided")],
  ];
  return flags.filter(([, holds]) => holds).map(([flag]) => flag);
}

const percent = (share: number | null): string => `${((share ?? 0) * 100).toFixed(1)} %`;

const SENTENCES: Readonly<Partial<Record<PointFlag, (point: Unflagged) => string>>> = {
  "cache-warm": (point) =>
    `${percent(point.cachedInputShare)} of prompt tokens came from the engine's cache: part of this is the cache's speed`,
  "off-target-output": ({ outputTokens }) =>
    `only ${percent(outputTokens.onTarget)} of answers had the ${outputTokens.nominal.toFixed(0)} tokens asked for (mean ${outputTokens.mean?.toFixed(0) ?? "—"}): rates use the tokens that came`,
  "off-target-input": ({ inputTokens }) =>
    `only ${percent(inputTokens.onTarget)} of prompts had the ${inputTokens.nominal.toFixed(0)} tokens asked for (${inputTokens.min}–${inputTokens.max})`,
  "estimated-tokens": () => "the engine reports no usage: tokens are estimated from events",
  "too-few-samples": ({ n }) => `${n} requests are too few for a median (${samplesNeeded(0.5)})`,
  capped: () => "more requests were due than sockets allow: the load was lower than planned",
  failures: ({ failed, n, failedBy }) =>
    `${failed} of ${n} requests failed (${Object.entries(failedBy)
      .map(([code, count]) => `${count} ${code}`)
      .join(", ")})`,
  censored: ({ censored, n }) => `${censored} of ${n} requests did not finish and count as slower`,
};

/** Flags that ask for more than a word, as sentences. */
export function warningsOf(point: Unflagged, flags: readonly PointFlag[]): readonly string[] {
  return flags.flatMap((flag) => {
    const sentence = SENTENCES[flag];
    return sentence === undefined ? [] : [sentence(point)];
  });
}
