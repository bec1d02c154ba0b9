import { endedOf } from "../telemetry/cell.ts";
import type { Traffic } from "../telemetry/traffic.ts";
import type { CoTraffic } from "./sweep-view.ts";

/** What users did on a replica during the last `windowMs`: it belongs to every point measured beside them. */
export function coTraffic(traffic: Traffic, replica: string, windowMs: number): CoTraffic {
  const cell = traffic.cell(windowMs, { population: "real", replica });
  const seconds = Math.max(1, windowMs / 1000);
  const { completed = 0, failed = 0, cut = 0, cancelled = 0, rejected = 0 } = endedOf(cell);
  const n = completed + failed + cut + cancelled + rejected;
  return {
    requestsPerSecond: n / seconds,
    inputTokensPerSecond: cell.get("inputTokens") / seconds,
    outputTokensPerSecond: cell.get("outputTokens") / seconds,
    inFlightMean: cell.get("inFlightSum") / seconds,
    ttftP95Ms: cell.sketch("ttft").quantile(0.95),
    n,
  };
}
