/** Rows of cells in the picture. */
export const ROWS = 44;

/** The values the picture reaches over, on a logarithmic axis. */
export interface HeatAxis {
  readonly minMs: number;
  readonly maxMs: number;
  readonly ticks: readonly number[];
}

export interface Corner {
  readonly x: number;
  readonly y: number;
}

/** A smaller box is a click. */
export const BOX_PX_MIN = 6;

export function boxOf(
  a: Corner,
  b: Corner,
): Corner & { readonly width: number; readonly height: number } {
  return {
    x: Math.min(a.x, b.x),
    y: Math.min(a.y, b.y),
    width: Math.abs(a.x - b.x),
    height: Math.abs(a.y - b.y),
  };
}

export interface Plot {
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly axis: HeatAxis;
}

export function strokeAcross(pen: CanvasRenderingContext2D, plot: Plot, y: number): void {
  pen.beginPath();
  pen.moveTo(plot.left, y);
  pen.lineTo(plot.left + plot.width, y);
  pen.stroke();
}

/** Position of a value on the logarithmic axis, 0 … 1. */
export function position(value: number, { minMs, maxMs }: HeatAxis): number {
  const clamped = Math.min(maxMs, Math.max(minMs, value));
  return Math.log(clamped / minMs) / Math.log(maxMs / minMs);
}

/** The value at a height, the inverse of {@link yOf}. */
export function valueAtY(y: number, { height, axis }: Plot): number {
  const share = Math.min(1, Math.max(0, 1 - y / height));
  return axis.minMs * (axis.maxMs / axis.minMs) ** share;
}

export function rowOf(value: number, axis: HeatAxis): number {
  return Math.min(ROWS - 1, Math.floor(position(value, axis) * ROWS));
}

export function yOf(value: number, plot: Plot): number {
  return plot.height * (1 - position(value, plot.axis));
}
