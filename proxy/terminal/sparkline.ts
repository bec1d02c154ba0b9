const BLOCKS = "▁▂▃▄▅▆▇█";

/** Numbers as a row of blocks, newest last, from zero to the largest of them: half as high is half as much. `null` is a gap. */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(0, ...shown.map((value) => value ?? 0));
  const blocks = shown.map((value) => {
    if (value === null) return " ";
    const step = top === 0 ? 0 : Math.ceil((value / top) * BLOCKS.length) - 1;
    return BLOCKS.charAt(Math.max(0, step));
  });
  return blocks.join("").padStart(width);
}
