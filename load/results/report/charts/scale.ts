/** Maps values to a length on paper, with places worth a label. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** Labels on an axis at most. */
const TICKS_MAX = 7;

/** A linear scale from 0 or below, `lengthPx` long, ending at a round number. */
export function linearScale(valueMax: number, lengthPx: number): Scale {
  const step = niceStep(Math.max(valueMax, 1e-9) / (TICKS_MAX - 1));
  const end = Math.ceil(Math.max(valueMax, 1e-9) / step) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  return { at: (value) => (value / end) * lengthPx, ticks };
}

/** A logarithmic scale between whole powers of ten times 1, 2 or 5. */
export function logScale(valueMin: number, valueMax: number, lengthPx: number): Scale {
  const low = Math.max(valueMin, 1e-3);
  const high = Math.max(valueMax, low * 2);
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = last - first > 3 ? [1] : last - first > 1 ? [1, 3] : [1, 2, 5];
  const all = Array.from({ length: last - first + 1 }, (_, index) =>
    steps.map((step) => step * 10 ** (first + index)),
  ).flat();
  const start = all.findLast((tick) => tick <= low) ?? low;
  const end = all.find((tick) => tick >= high) ?? high;
  const span = Math.log(end / start);
  return {
    at: (value) => (Math.log(Math.min(Math.max(value, start), end) / start) / span) * lengthPx,
    ticks: all.filter((tick) => tick >= start && tick <= end),
  };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= rough) ?? 10;
  return factor * power;
}
