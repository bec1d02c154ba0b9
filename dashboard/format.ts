import { place } from "./state/place.ts";

/** What stands where there is no data. Never 0, never 100 %. */
export const NOTHING = "—";

/** Fewer samples than this and a percentile is shown dimmed. */
export const SAMPLES_FEW = 20;

/** Narrow, and no place for a line to break. */
const THIN = "\u202f";

/** Milliseconds with three significant digits: ms below a second, s above. */
export function duration(ms: number | null): string {
  if (ms === null) return NOTHING;
  if (ms >= 999.5) return `${significant(ms / 1000)}${THIN}s`;
  return `${significant(ms)}${THIN}ms`;
}

/** A bound as it was set: 300 ms, 1 s. */
export function limit(ms: number): string {
  return ms >= 1000 ? `${ms / 1000}${THIN}s` : `${ms}${THIN}ms`;
}

/** A number with three significant digits, thousands grouped. */
export function significant(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NOTHING;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return grouped(Math.round(value));
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** A whole number with thin spaces between thousands. */
export function grouped(value: number | null): string {
  if (value === null) return NOTHING;
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** A share as a percentage. */
export function percent(ratio: number | null): string {
  if (ratio === null) return NOTHING;
  const value = ratio * 100;
  return `${value < 0 ? "−" : ""}${digits(Math.abs(value))}${THIN}%`;
}

/** Near the whole every hundredth counts: 99.96 % is not all, and 100 % says that it is. */
function digits(value: number): string {
  if (value === 0 || value === 100) return value.toFixed(0);
  if (value > 99 && value < 100) return Math.min(99.99, value).toFixed(2);
  return value >= 10 ? value.toFixed(0) : value.toFixed(value < 1 ? 2 : 1);
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const DATE = { year: "numeric", month: "2-digit", day: "2-digit" } as const;
const LOCAL = formats(undefined);
const GREENWICH = formats("UTC");

function formats(timeZone: string | undefined): Record<"time" | "date", Intl.DateTimeFormat> {
  return {
    time: new Intl.DateTimeFormat(undefined, { ...TIME, timeZone }),
    date: new Intl.DateTimeFormat(undefined, { ...DATE, timeZone }),
  };
}

/** Time of day in the viewer's zone, or at Greenwich where the address says so. */
export function clock(epochMs: number): string {
  return (place.isUtc ? GREENWICH : LOCAL).time.format(epochMs);
}

/** Time of day, with the date where it is not today's. */
export function moment(epochMs: number): string {
  const { date } = place.isUtc ? GREENWICH : LOCAL;
  const day = date.format(epochMs);
  return day === date.format(new Date()) ? clock(epochMs) : `${day} ${clock(epochMs)}`;
}

/** An age in the largest fitting unit: 4.2 s, 3 min, 2 h. */
export function age(ms: number): string {
  if (ms >= 172_800_000) return `${Math.floor(ms / 86_400_000)}${THIN}d`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)}${THIN}s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}${THIN}min`;
  return `${Math.floor(ms / 3_600_000)}${THIN}h`;
}

/** The end of a model's repository id. */
export function shortModel(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1) || NOTHING;
}
