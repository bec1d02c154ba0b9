import type { Point } from "../point.ts";

/** A latency for people; "—" for what is not known. */
export function ms(value: number | null): string {
  if (value === null) return "—";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1_000) return `${(value / 1000).toFixed(2)} s`;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/** A rate or amount for people. */
export function figure(value: number | null): string {
  if (value === null) return "—";
  return value >= 1000 ? value.toFixed(0) : value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

/** How hard a point pressed: `1 at a time`, `8 at once`, `3.20 req/s`. */
export function loadOf({ concurrency, offeredRatePerSecond }: Point): string {
  if (offeredRatePerSecond !== null) return `${figure(offeredRatePerSecond)} req/s`;
  return concurrency === 1 ? "1 at a time" : `${concurrency ?? "?"} at once`;
}

/** What to know before trusting a point, in words; empty when there is nothing. */
export function caveatOf(point: Point): string {
  if (!point.valid) return `invalid: ${point.invalidBecause ?? "unknown"}`;
  if (point.saturated) return "saturated: latency grows with the length of the run";
  return point.warnings[0] ?? "";
}

/** Whether answers of a point began with reasoning, so that its TTFOT is another than its TTFT. */
export function hasFirstAnswers({ ttfotMs }: Point): boolean {
  return ttfotMs !== null && ttfotMs !== undefined;
}
