/** Latencies an objective may bound. All count from the planned send. */
export const METRICS = ["ttft", "tpot", "e2e", "stall"] as const;

export type Metric = (typeof METRICS)[number];

/** One latency and the most it may be. */
export interface Limit {
  readonly metric: Metric;
  readonly limitMs: number;
}

/** At least `share` of requests meet all `limits`. A request that fails or does not finish meets none. */
export interface Objective {
  /** As people write it: `ttft_p95<=1s`, `goodput(ttft<=1s,tpot<=25ms)>=95%`. */
  readonly text: string;
  /** 0 … 1. */
  readonly share: number;
  readonly limits: readonly Limit[];
}

/** Text that is no objective, with the forms that are. */
export class ObjectiveError extends Error {
  override readonly name = "ObjectiveError";
}

/** What a sweep looks for when nobody says otherwise: an interactive median, and a common bound for nearly all. */
export const DEFAULT_OBJECTIVES = ["ttft_p50<=300ms", "ttft_p95<=1s"] as const;

const UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
const PERCENTILE = /^([a-z0-9]+)_p(\d{1,2}(?:\.\d+)?)<=?(.+)$/;
const GOODPUT = /^goodput\((.+)\)>=?(\d{1,2}(?:\.\d+)?)%$/;
const FORMS = "ttft_p95<=1s, tpot_p95<=25ms, e2e_p99<=10s or goodput(ttft<=1s,tpot<=25ms)>=95%";

/** Reads one objective. @throws {ObjectiveError} naming what is wrong and the forms. */
export function readObjective(text: string): Objective {
  const compact = text.replaceAll(/\s+/g, "").toLowerCase();
  const goodput = GOODPUT.exec(compact);
  if (goodput !== null) {
    const limits = (goodput[1] ?? "").split(",").map((part) => readLimit(part, text));
    return named(Number(goodput[2]) / 100, limits, `>=${goodput[2]}%`);
  }
  const [, metric = "", percentile = "", bound = ""] = PERCENTILE.exec(compact) ?? [];
  if (metric === "") throw new ObjectiveError(`"${text}" is not an objective: write ${FORMS}.`);
  const limit = readLimit(`${metric}<=${bound}`, text);
  const share = Number(percentile) / 100;
  if (share <= 0) {
    throw new ObjectiveError(`"${text}": a percentile lies between 0 and 100, such as p95.`);
  }
  return { text: `${metric}_p${percentile}<=${bound}`, share, limits: [limit] };
}

function named(share: number, limits: readonly Limit[], tail: string): Objective {
  const inner = limits.map(({ metric, limitMs }) => `${metric}<=${milliseconds(limitMs)}`);
  return { text: `goodput(${inner.join(",")})${tail}`, share, limits };
}

function readLimit(part: string, whole: string): Limit {
  const [, name = "", number = "", unit = ""] =
    /^([a-z0-9]+)<=?(\d+(?:\.\d+)?)(us|ms|s|m)?$/.exec(part) ?? [];
  const metric = METRICS.find((known) => known === name);
  if (metric === undefined) {
    throw new ObjectiveError(
      `"${whole}": "${part}" bounds no latency known here: choose ${METRICS.join(", ")} and write ${FORMS}.`,
    );
  }
  const scale = UNITS_MS[unit];
  if (scale === undefined) {
    throw new ObjectiveError(`"${whole}": ${number} needs its unit, such as ${number}ms.`);
  }
  return { metric, limitMs: Number(number) * scale };
}

function milliseconds(ms: number): string {
  return ms >= 1000 && ms % 100 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
