/** A least-squares line through equally weighted points. */
export interface Line {
  readonly slope: number;
  /** Slope over its standard error, taking residuals as independent. */
  readonly t: number;
}

/** `null` for fewer than three points or no spread in x. */
export function fitLine(x: readonly number[], y: readonly number[]): Line | null {
  const n = Math.min(x.length, y.length);
  if (n < 3) return null;
  const meanX = x.reduce((sum, value) => sum + value, 0) / n;
  const meanY = y.reduce((sum, value) => sum + value, 0) / n;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (let index = 0; index < n; index++) {
    const dx = (x[index] ?? 0) - meanX;
    const dy = (y[index] ?? 0) - meanY;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  if (xx === 0) return null;
  const slope = xy / xx;
  const residual = Math.max(0, yy - slope * xy) / (n - 2);
  const error = Math.sqrt(residual / xx);
  return {
    slope,
    t: error === 0 ? (slope === 0 ? 0 : Math.sign(slope) * Infinity) : slope / error,
  };
}
