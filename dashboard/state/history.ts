import type { SeriesName } from "../../proxy/telemetry/series.ts";
import type { Population } from "../../proxy/telemetry/part.ts";
import type { Loaded } from "./api.ts";
import type { ChartWindow } from "./chart-window.ts";

/** A long range moves slowly: asked for again this often, and no more often than its points change. */
const REFRESH_MS_MIN = 5_000;

/** What is asked for. */
export interface HistoryQuery {
  readonly metric: SeriesName;
  readonly origin: Population;
  readonly window: ChartWindow;
  readonly replica: string | null;
  readonly bins: boolean;
}

/** Where the control plane tells one series of a span older than the frames. */
export function historyPath({ metric, origin, window, replica, bins }: HistoryQuery): string {
  const by = replica === null ? "none" : "replica";
  return `/series?metric=${metric}&origin=${origin}&${historySpan(window)}&by=${by}&bins=${bins ? 1 : 0}`;
}

/** A window in the words of the control plane. */
export function historySpan({ fromMs, untilMs, words, isZoom }: ChartWindow): string {
  if (!isZoom) return `window=${words}`;
  return `window=${Math.round((untilMs - fromMs) / 1_000)}s&until=${untilMs}`;
}

/** When to ask for it again; what is over does not change any more. */
export function historyPaceMs(
  answer: Loaded<{ readonly windowMs: number; readonly stepMs?: number }>,
  { isZoom }: ChartWindow,
): number | null {
  if (answer.kind !== "ready") return REFRESH_MS_MIN;
  return isZoom ? null : Math.max(REFRESH_MS_MIN, answer.value.stepMs ?? 0);
}
