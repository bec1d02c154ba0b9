import type { Origin } from "../../engines/exchange.ts";
import type { Sketch } from "../telemetry/sketch.ts";
import type { WindowFigures } from "../telemetry/traffic.ts";

/** A number with everything needed to read it rightly. `null` value: no data, which is not zero. */
export interface Figure {
  readonly value: number | null;
  readonly unit: string;
  readonly statistic: string;
  readonly windowMs: number;
  /** Samples behind it. */
  readonly n: number;
  readonly origin: Origin;
}

type Population = "real" | "synthetic";

/** The figures of one population over one window. */
export function windowFigures(window: WindowFigures, origin: Population): Record<string, Figure> {
  const { windowMs } = window;
  const seconds = windowMs / 1000;
  const ended = Object.values(window.ended).reduce((sum, count) => sum + count, 0);
  const failed = (window.ended.failed ?? 0) + (window.ended.cut ?? 0);
  // Refusals of bad requests and clients that left are nobody's failure.
  const judged = failed + (window.ended.completed ?? 0);
  const rate = (value: number, unit: string, n: number): Figure => ({
    value,
    unit,
    statistic: "rate",
    windowMs,
    n,
    origin,
  });
  return {
    requestsPerSecond: rate(ended / seconds, "req/s", ended),
    inputTokensPerSecond: rate(window.inputTokens / seconds, "tok/s", ended),
    outputTokensPerSecond: rate(window.outputTokens / seconds, "tok/s", ended),
    errorRatio: {
      value: judged === 0 ? null : failed / judged,
      unit: "ratio",
      statistic: "share",
      windowMs,
      n: judged,
      origin,
    },
    ...quantiles("ttft", window.ttft, windowMs, origin),
    ...quantiles("tpot", window.tpot, windowMs, origin),
    ...quantiles("e2e", window.e2e, windowMs, origin),
  };
}

function quantiles(
  name: string,
  sketch: Sketch,
  windowMs: number,
  origin: Population,
): Record<string, Figure> {
  const shares = { P50: 0.5, P95: 0.95, P99: 0.99 };
  return Object.fromEntries(
    Object.entries(shares).map(([label, q]) => [
      `${name}${label}Ms`,
      {
        value: sketch.quantile(q),
        unit: "ms",
        statistic: label.toLowerCase(),
        windowMs,
        n: sketch.count,
        origin,
      },
    ]),
  );
}
