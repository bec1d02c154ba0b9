/** Places values along an axis of unit length, 0 to 1, and says which deserve a label. */
export interface AxisScale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

export type ScaleKind = "linear" | "log";

const STEPS = [1, 2, 5, 10] as const;
const TICKS = 5;
/** Spans of up to so many powers of ten get labels between them. */
const POWERS_FEW = 2;

/** An axis that holds all of `values`; a linear one begins at zero. */
export function axisScale(kind: ScaleKind, values: readonly number[]): AxisScale {
  const known = values.filter(
    (value) => Number.isFinite(value) && (kind === "linear" || value > 0),
  );
  const max = known.length === 0 ? 1 : Math.max(...known);
  return kind === "linear" ? linear(max) : logarithmic(Math.min(...known, max), max);
}

function linear(max: number): AxisScale {
  const rough = (max > 0 ? max : 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil((max > 0 ? max : 1) / step);
  return {
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    at: (value) => value / (count * step),
  };
}

function logarithmic(min: number, max: number): AxisScale {
  const first = Math.floor(Math.log10(min));
  const last = Math.max(first + 1, Math.ceil(Math.log10(max)));
  const within = last - first <= POWERS_FEW ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    within.map((factor) => factor * 10 ** (first + index)),
  )
    .flat()
    .filter((tick) => tick <= 10 ** last);
  // Ends at the labels just outside the values, not at whole powers: half a picture of nothing helps nobody.
  const from = ticks.findLast((tick) => tick <= min) ?? 10 ** first;
  const to = ticks.find((tick) => tick >= max && tick > from) ?? 10 ** last;
  return {
    ticks: ticks.filter((tick) => tick >= from && tick <= to),
    at: (value) => Math.log(Math.max(value, from) / from) / Math.log(to / from),
  };
}
