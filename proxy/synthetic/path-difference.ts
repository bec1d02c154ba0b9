import { type Exchange, tpotMs } from "../../engines/exchange.ts";
import { percentileInterval } from "../../load/statistics/order-interval.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { countsInWhole, type EndedPoint, lightDifference } from "./light-difference.ts";
import type { Difference, OverallDifference, PathDifference } from "./sweep-view.ts";

/** A pair of one point, in ms. */
interface Pair {
  readonly direct: number;
  readonly routed: number;
}

/** Pairs of one point that are kept: the interval hardly narrows beyond. */
const PAIRS_MAX = 5_000;

const METRICS = ["ttftMs", "tpotMs", "e2eMs"] as const;
type Metric = (typeof METRICS)[number];

/** Takes in pairs of requests, one straight and one through the proxy, and says what the second way adds. */
export class PathDifferences {
  readonly #points = new Map<string, Record<Metric, Pair[]>>();
  readonly #ended: EndedPoint[] = [];

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

  /** A point has ended: from now on it counts in the whole, if it says anything of the proxy. */
  ended(point: EndedPoint): void {
    if (countsInWhole(point)) this.#ended.push(point);
  }

  /** What the proxy adds while neither it nor the engine is pressed; `null` before any point says. */
  overall(): OverallDifference | null {
    return lightDifference(
      this.#ended
        .toSorted((a, b) => a.inFlightMean - b.inFlightMean)
        .flatMap(({ pointId }) => {
          const difference = this.of(pointId);
          return difference === null ? [] : [{ pointId, difference }];
        }),
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

function complete(of: (metric: Metric) => Difference | null): PathDifference | null {
  const difference = { ttftMs: of("ttftMs"), tpotMs: of("tpotMs"), e2eMs: of("e2eMs") };
  return difference.ttftMs === null && difference.e2eMs === null ? null : difference;
}
