import type { LatencyTarget, SloMatch, SloOptions } from "../telemetry/options.ts";

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000 };
const DAY_MS = 86_400_000;
const PERIOD_DAYS = 28;
const LATENCIES: Readonly<Record<string, LatencyTarget["metric"]>> = {
  "first token": "ttft",
  ttft: "ttft",
  "first byte": "ttfb",
  ttfb: "ttfb",
  tpot: "tpot",
  "per token": "tpot",
  "end to end": "e2e",
  e2e: "e2e",
  queue: "queue",
};
const ROUTES = ["chat", "completions", "responses", "messages", "embeddings", "rerank"] as const;

/** What a sentence may look like, for messages. */
export const SLO_FORM = "95 % of chat requests: first token < 300 ms over 28 days";

const SENTENCE = /^(\d+(?:\.\d+)?) ?% of (?:(\S+) )?requests(?:: (.+?))?(?: over (\d+) days?)?$/i;
const TARGET = /^(.+?) ?(?:<|below) ?(\d+(?:\.\d+)?) ?(ms|s)$/i;

/**
 * Reads a promise as people say it: a share, which requests (all, a route, or a model), what they must meet (nothing more
 * than succeeding when left out; several joined by "and"), and the period (28 days when left out).
 * @throws {Error} in one sentence with the form wanted.
 */
export function readSloSentence(text: string): SloOptions {
  const [, share, which = "all", targets, days] = SENTENCE.exec(text.trim()) ?? [];
  if (share === undefined)
    throw new Error(`it is not a promise such as "${SLO_FORM}" or "99 % of all requests"`);
  const parts = targets === undefined ? [] : targets.split(/ and |, /i);
  return {
    name: nameOf(which, parts),
    // 99.9 / 100 is not 0.999 in binary.
    objective: Number((Number(share) / 100).toPrecision(12)),
    windowMs: Number(days ?? PERIOD_DAYS) * DAY_MS,
    ...(which.toLowerCase() === "all" ? {} : { match: matchOf(which) }),
    ...(parts.length === 0 ? {} : { targets: parts.map(targetOf) }),
  };
}

function matchOf(which: string): SloMatch {
  const route = ROUTES.find((known) => known === which.toLowerCase());
  return route === undefined ? { model: which } : { route };
}

function targetOf(text: string): LatencyTarget {
  const [, name = "", value, unit = ""] = TARGET.exec(text.trim()) ?? [];
  const metric = LATENCIES[name.trim().toLowerCase()];
  const factor = UNITS_MS[unit.toLowerCase()];
  if (metric === undefined || factor === undefined)
    throw new Error(`"${text}" is not a target such as "first token < 300 ms"`);
  return { metric, belowMs: Number(value) * factor };
}

/** `chat first token`, `all success`: short, and told apart from its neighbours. */
function nameOf(which: string, parts: readonly string[]): string {
  const what = parts.map((part) => part.replace(/ ?(?:<|below).*$/i, "").trim()).join(", ");
  return `${which.toLowerCase()} ${what === "" ? "success" : what}`;
}
