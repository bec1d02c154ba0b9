import type { UnderWay } from "../telemetry/feed.ts";
import { rounded } from "../telemetry/exchange-ring.ts";
import { type InFlightRow, STALLED_AFTER_MS } from "./frames.ts";

/** One request under way, as of `nowMs`. */
export function inFlightRow(timer: UnderWay, nowMs: number): InFlightRow {
  const view = timer.view();
  const { id, origin, model, replica, outputEvents, attempts, startedMs } = view;
  const { firstTokenMs, lastTokenMs } = view;
  const stalled =
    view.phase === "decode" && lastTokenMs !== null && nowMs - lastTokenMs > STALLED_AFTER_MS;
  const decodeMs = firstTokenMs === null ? 0 : nowMs - firstTokenMs;
  return {
    id,
    origin,
    model,
    replica,
    client: timer.start.client ?? null,
    phase: stalled ? "stalled" : view.phase,
    ageMs: Math.round(nowMs - startedMs),
    outputEvents,
    eventsPerSecond:
      outputEvents < 2 || decodeMs <= 0 ? null : rounded(((outputEvents - 1) * 1_000) / decodeMs),
    ttftMs: firstTokenMs === null ? null : rounded(firstTokenMs - startedMs),
    attempts,
  };
}
