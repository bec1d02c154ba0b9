import type { Tick } from "../../proxy/live/frames.ts";
import { clock } from "../format.ts";
import type { LiveStore } from "./live-store.ts";
import { type Place, RANGES } from "./place.ts";

/** Ranges up to here are drawn from the frames the board has; longer ones are asked for. */
export const LIVE_MS_MAX = 900_000;
/** Columns of a picture, about: a column is a whole number of seconds. */
const COLUMNS = 120;

/** The span of time every picture of a page is drawn over, cut into columns that stay aligned to the clock. */
export interface ChartWindow {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly stepMs: number;
  /** Frames reach back the last minutes; what is older is asked for. */
  readonly source: "frames" | "history";
  /** For readers: `15m`, or from when until when. */
  readonly words: string;
  /** It ends where it ends, instead of now. */
  readonly isZoom: boolean;
}

/** One column and the seconds that lie in it; none where nothing is known. */
export interface ChartColumn {
  readonly atMs: number;
  readonly ticks: readonly Tick[];
}

/** What the address asks to see: a zoom, or the range up to now or to the pause. */
export function chartWindow(place: Place, store: LiveStore): ChartWindow {
  const { zoom, range } = place;
  const { ticks, tickMs } = store;
  const firstMs = ticks[0]?.atMs ?? store.nowMs;
  if (zoom !== null) {
    const untilMs = Math.min(zoom.untilMs, store.nowMs);
    const words = `${clock(zoom.fromMs)} to ${clock(untilMs)}`;
    const inFrames = store.isRecording || firstMs <= zoom.fromMs;
    return windowOf(zoom.fromMs, untilMs, {
      words,
      source: inFrames ? "frames" : "history",
      isZoom: true,
    });
  }
  const untilMs = store.pausedAtMs ?? (ticks.at(-1)?.atMs ?? store.nowMs - tickMs) + tickMs;
  const fromMs = untilMs - RANGES[range];
  if (RANGES[range] > LIVE_MS_MAX && !store.isRecording)
    return windowOf(fromMs, untilMs, { words: range, source: "history", isZoom: false });
  // A proxy just started has nothing older: the picture begins where its seconds begin.
  return windowOf(Math.max(fromMs, Math.min(firstMs, untilMs - tickMs)), untilMs, {
    words: range,
    source: "frames",
    isZoom: false,
  });
}

function windowOf(
  fromMs: number,
  untilMs: number,
  rest: Pick<ChartWindow, "words" | "source" | "isZoom">,
): ChartWindow {
  const stepMs = Math.max(1, Math.round((untilMs - fromMs) / COLUMNS / 1_000)) * 1_000;
  if (rest.source === "history") return { fromMs, untilMs, stepMs, ...rest };
  return {
    fromMs: Math.floor(fromMs / stepMs) * stepMs,
    untilMs: Math.max(1, Math.ceil(untilMs / stepMs)) * stepMs,
    stepMs,
    ...rest,
  };
}

/** The seconds of a window that frames brought. */
export function ticksIn(window: ChartWindow, store: LiveStore): readonly Tick[] {
  const { shownTicks } = store;
  const from = shownTicks.findIndex(({ atMs }) => atMs >= window.fromMs);
  if (from === -1) return [];
  const until = shownTicks.findIndex(({ atMs }) => atMs >= window.untilMs);
  return shownTicks.slice(from, until === -1 ? undefined : until);
}

/** The window's columns, oldest first, without holes: a column nothing is known of holds no second. */
export function columnsIn(window: ChartWindow, store: LiveStore): readonly ChartColumn[] {
  const { fromMs, untilMs, stepMs } = window;
  const columns = Array.from({ length: Math.round((untilMs - fromMs) / stepMs) }, (_, index) => ({
    atMs: fromMs + index * stepMs,
    ticks: [] as Tick[],
  }));
  for (const tick of ticksIn(window, store))
    columns[Math.floor((tick.atMs - fromMs) / stepMs)]?.ticks.push(tick);
  return columns;
}
