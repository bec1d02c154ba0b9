/** Rows of cells in the picture. */
const ROWS = 44;

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

function rowOf(value: number, axis: HeatAxis): number {
  return Math.min(ROWS - 1, Math.floor(position(value, axis) * ROWS));
}

export function yOf(value: number, plot: Plot): number {
  return plot.height * (1 - position(value, plot.axis));
}

/** Opacity of a cell with the fewest, and of the one with the most. */
const FAINTEST = 0.18;
const FULLEST = 0.9;

/** How many of a column's values lie in each row, the lowest first. */
export function countsOf(
  values: Iterable<readonly [value: number, count: number]>,
  axis: HeatAxis,
): Float64Array {
  const counts = new Float64Array(ROWS);
  for (const [value, count] of values) {
    const row = rowOf(value, axis);
    counts[row] = (counts[row] ?? 0) + count;
  }
  return counts;
}

/** Columns as a picture of one pixel a cell: the more lie in it, the less one sees through it. */
export function cellsOf(columns: readonly Float64Array[], rgb: readonly number[]): ImageData {
  const width = Math.max(1, columns.length);
  const most = columns.reduce((so, counts) => Math.max(so, ...counts), 1);
  const picture = new ImageData(width, ROWS);
  columns.forEach((counts, column) => {
    counts.forEach((count, row) => {
      if (count === 0) return;
      const opacity = FAINTEST + (FULLEST - FAINTEST) * Math.sqrt(count / most);
      const at = (ROWS - 1 - row) * width + column;
      picture.data.set([...rgb, Math.round(255 * opacity)], at * 4);
    });
  });
  return picture;
}

/** A colour in any notation CSS knows, as red, green and blue. */
export function rgbOf(color: string): readonly number[] {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  if (pen === null) return [0, 0, 0];
  pen.fillStyle = color;
  pen.fillRect(0, 0, 1, 1);
  return Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3));
}
