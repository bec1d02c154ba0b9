import { type Exchange, tpotMs } from "../../engines/exchange.ts";
import { percentileInterval } from "../../load/statistics/order-interval.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import type { Difference, PathDifference } from "./sweep-view.ts";

/** A pair of one point, in ms. */
interface Pair {
  readonly direct: number;
  readonly routed: number;
}

/** Pairs of one point that are kept: the interval hardly narrows beyond. */
const PAIRS_MAX = 5_000;
/** Half width of a 95 % interval in standard errors. */
const Z = 1.96;
/** An interval that is no wider than a clock can tell must not outweigh all others. */
const HALF_WIDTH_MS_MIN = 0.001;

const METRICS = ["ttftMs", "tpotMs", "e2eMs"] as const;
type Metric = (typeof METRICS)[number];

/** Takes in pairs of requests, one straight and one through the proxy, and says what the second way adds. */
export class PathDifferences {
  readonly #points = new Map<string, Record<Metric, Pair[]>>();

  /** Both of a pair ended; one that did not complete tells of no latency, and its pair of no difference. */
  add(pointId: string, direct: Exchange, routed: Exchange): void {
    if (direct.outcome.kind !== "completed" || routed.outcome.kind !== "completed") return;
    const pairs = this.#points.get(pointId) ?? { ttftMs: [], tpotMs: [], e2eMs: [] };
    this.#points.set(pointId, pairs);
    for (const metric of METRICS) {
      const [a, b] = [latency(direct, metric), latency(routed, metric)];
      if (a !== null && b !== null && pairs[metric].length < PAIRS_MAX)
        pairs[metric].push({ direct: a, routed: b });
    }
  }

  /** What one point says; `null` with too few pairs for any interval. */
  of(pointId: string): PathDifference | null {
    const pairs = this.#points.get(pointId);
    return pairs === undefined ? null : complete((metric) => differenceOf(pairs[metric]));
  }

  /**
   * All points together, each with the weight its interval deserves: a quiet point knows the proxy's cost to microseconds, one
   * near saturation does not, and a plain pool would drown the first in the second. The cost may grow with the load, so what
   * points differ by beyond their own intervals widens the interval of the whole (random effects: DerSimonian and Laird,
   * Controlled Clinical Trials 7, 1986).
   */
  overall(): PathDifference | null {
    return complete((metric) =>
      weighted([...this.#points.values()].map((pairs) => differenceOf(pairs[metric]))),
    );
  }
}

/** From the actual send: how late the generator was is no part of either way. */
function latency(exchange: Exchange, metric: Metric): number | null {
  const { routedMs, startedMs, firstTokenMs, lastTokenMs } = exchange.times;
  if (metric === "tpotMs") return tpotMs(exchange);
  const atMs = metric === "ttftMs" ? firstTokenMs : lastTokenMs;
  return atMs === null ? null : atMs - (routedMs ?? startedMs);
}

/** Median of the differences within pairs and its interval; `null` with too few pairs for one. */
export function differenceOf(pairs: readonly Pair[]): Difference | null {
  const sorted = ascending(pairs.map(({ direct, routed }) => routed - direct));
  const interval = percentileInterval(sorted, 0.5);
  if (interval === null) return null;
  const medianOf = (path: "direct" | "routed"): number =>
    percentile(ascending(pairs.map((pair) => pair[path])), 0.5) ?? 0;
  return {
    median: percentile(sorted, 0.5) ?? 0,
    low: interval.low,
    high: interval.high === Infinity ? null : interval.high,
    pairs: pairs.length,
    direct: medianOf("direct"),
    routed: medianOf("routed"),
  };
}

function weighted(points: readonly (Difference | null)[]): Difference | null {
  const known = points.flatMap((point) =>
    point === null || point.high === null ? [] : [{ ...point, high: point.high }],
  );
  if (known.length === 0) return null;
  const variances = known.map(
    ({ low, high }) => (Math.max((high - low) / 2, HALF_WIDTH_MS_MIN) / Z) ** 2,
  );
  const between = varianceBetween(
    known.map(({ median }) => median),
    variances,
  );
  const weights = variances.map((variance) => 1 / (variance + between));
  const total = sumOf(weights);
  const mean = (of: (point: Difference) => number): number =>
    known.reduce((sum, point, index) => sum + (weights[index] ?? 0) * of(point), 0) / total;
  const median = mean((point) => point.median);
  const half = Z / Math.sqrt(total);
  return {
    median,
    low: median - half,
    high: median + half,
    pairs: known.reduce((sum, point) => sum + point.pairs, 0),
    direct: mean((point) => point.direct),
    routed: mean((point) => point.routed),
  };
}

/** By how much more points differ than their own intervals explain, as a variance. */
function varianceBetween(medians: readonly number[], variances: readonly number[]): number {
  const weights = variances.map((variance) => 1 / variance);
  const total = sumOf(weights);
  const mean = sumOf(medians.map((median, index) => median * (weights[index] ?? 0))) / total;
  const spread = sumOf(
    medians.map((median, index) => (weights[index] ?? 0) * (median - mean) ** 2),
  );
  const scale = total - sumOf(weights.map((weight) => weight ** 2)) / total;
  return scale <= 0 ? 0 : Math.max(0, (spread - (medians.length - 1)) / scale);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function complete(of: (metric: Metric) => Difference | null): PathDifference | null {
  const difference = { ttftMs: of("ttftMs"), tpotMs: of("tpotMs"), e2eMs: of("e2eMs") };
  return difference.ttftMs === null && difference.e2eMs === null ? null : difference;
}
