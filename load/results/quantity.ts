import type { LatencySummary, Point } from "./point.ts";

/** A value with its 95 % interval; the bounds are the value itself where no interval is known. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** A figure of a point that runs are judged and compared by. */
export interface Quantity {
  /** As users write it: `ttft_p95`, `throughput`. */
  readonly name: string;
  /** For people: `TTFT p95`. */
  readonly title: string;
  readonly unit: "ms" | "req/s" | "tok/s" | "share";
  readonly better: "lower" | "higher";
  /** `null` where the sample does not carry it. */
  of(point: Point): Estimate | null;
}

const LATENCIES = [
  ["ttft", "TTFT", (point: Point) => point.ttftMs],
  ["tpot", "TPOT", (point: Point) => point.tpotMs],
  ["e2e", "E2E", (point: Point) => point.e2eMs],
  ["stall", "longest gap", (point: Point) => point.stallMs],
] as const;

/** Every quantity of a point, by the name users write. */
export const quantities: readonly Quantity[] = [
  ...LATENCIES.flatMap(([name, title, of]) =>
    (["p50", "p90", "p95", "p99"] as const).map((percentile): Quantity => ({
      name: `${name}_${percentile}`,
      title: `${title} ${percentile}`,
      unit: "ms",
      better: "lower",
      of: (point) => latencyEstimate(of(point), percentile),
    })),
  ),
  {
    name: "rate",
    title: "completed requests",
    unit: "req/s",
    better: "higher",
    of: (point) =>
      meanEstimate(point.completedRatePerSecond, point.completedRateHalfWidth, point.n),
  },
  {
    name: "throughput",
    title: "output tokens",
    unit: "tok/s",
    better: "higher",
    of: (point) => meanEstimate(point.outputTokensPerSecond, point.outputTokensHalfWidth, point.n),
  },
  {
    name: "failed",
    title: "failed requests",
    unit: "share",
    better: "lower",
    of: ({ n, failed }) => (n === 0 ? null : exact(failed / n, n)),
  },
  {
    name: "goodput",
    title: "goodput",
    unit: "share",
    better: "higher",
    of({ verdicts }) {
      const judged = verdicts.find(({ objective }) => objective.startsWith("goodput("));
      if (judged === undefined || judged.n === 0) return null;
      const { n, share, shareLow, shareHigh } = judged;
      return { value: 1 - share, low: 1 - shareHigh, high: 1 - shareLow, n };
    },
  },
];

function latencyEstimate(
  latency: LatencySummary,
  percentile: "p50" | "p90" | "p95" | "p99",
): Estimate | null {
  const value = latency[percentile];
  if (value === null) return null;
  if (percentile === "p50") return bounded(value, latency.low, latency.high, latency.n);
  if (percentile === "p95") return bounded(value, latency.p95Low, latency.p95High, latency.n);
  return exact(value, latency.n);
}

/** An upper bound the samples do not give is beyond all of them. */
function bounded(value: number, low: number | null, high: number | null, n: number): Estimate {
  return { value, low: low ?? value, high: high ?? (low === null ? value : Infinity), n };
}

function meanEstimate(value: number, halfWidth: number | null, n: number): Estimate {
  return halfWidth === null
    ? exact(value, n)
    : { value, low: value - halfWidth, high: value + halfWidth, n };
}

function exact(value: number, n: number): Estimate {
  return { value, low: value, high: value, n };
}

/** An estimate for people, in its unit. */
export function showEstimate({ value }: Estimate, unit: Quantity["unit"]): string {
  if (unit === "share") return `${(value * 100).toFixed(1)} %`;
  if (unit === "ms") return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
  return `${value.toFixed(value < 100 ? 2 : 0)} ${unit}`;
}
