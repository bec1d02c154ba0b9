import type { SeriesAnswer, SeriesName } from "../../proxy/telemetry/series.ts";
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
  const { fromMs, untilMs, words, isZoom } = window;
  const by = replica === null ? "none" : "replica";
  const span = isZoom ? `${Math.round((untilMs - fromMs) / 1_000)}s&until=${untilMs}` : words;
  return `/series?metric=${metric}&origin=${origin}&window=${span}&by=${by}&bins=${bins ? 1 : 0}`;
}

/** When to ask for it again; what is over does not change any more. */
export function historyPaceMs(
  answer: Loaded<SeriesAnswer>,
  { isZoom }: ChartWindow,
): number | null {
  if (answer.kind !== "ready") return REFRESH_MS_MIN;
  return isZoom ? null : Math.max(REFRESH_MS_MIN, answer.value.stepMs);
}
