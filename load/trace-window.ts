import { integer, type Random } from "../engines/random.ts";
import type { TraceRow } from "./trace.ts";

/** Which part of a trace to use. */
export interface TraceWindow {
  readonly fromMs: number;
  readonly lengthMs: number;
  readonly rowsMax: number;
}

/** The rows inside a window, the window's beginning at 0. */
export function cutTrace(
  rows: readonly TraceRow[],
  { fromMs, lengthMs, rowsMax }: TraceWindow,
): readonly TraceRow[] {
  return rows
    .filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + lengthMs)
    .slice(0, rowsMax)
    .map((row) => ({ ...row, atMs: row.atMs - fromMs }));
}

/**
 * More or fewer requests in the same time, the bursts kept: sessions (or single requests) are left out at random, or come
 * again at another moment of the trace under a name of their own. `factor` 0.5 halves the rate, 2 doubles it.
 */
export function scaleRate(
  rows: readonly TraceRow[],
  factor: number,
  random: Random,
): readonly TraceRow[] {
  const spanMs = rows.at(-1)?.atMs ?? 0;
  const whole = Math.floor(factor);
  const copies = new Map<string, number>();
  const copiesOf = (row: TraceRow, index: number): number => {
    const unit = row.session ?? `#${index}`;
    const known = copies.get(unit) ?? whole + (random.next() < factor - whole ? 1 : 0);
    copies.set(unit, known);
    return known;
  };
  const shiftsMs = Array.from({ length: whole + 1 }, (_, copy) =>
    copy === 0 ? 0 : integer(random, Math.max(1, Math.floor(spanMs))),
  );
  const scaled = rows.flatMap((row, index) =>
    Array.from({ length: copiesOf(row, index) }, (_, copy): TraceRow => {
      if (copy === 0) return row;
      const shifted = row.atMs + (shiftsMs[copy] ?? 0);
      const atMs = shifted > spanMs ? shifted - spanMs : shifted;
      const session = row.session ?? null;
      return { ...row, atMs, ...(session === null ? {} : { session: `${session}~${copy}` }) };
    }),
  );
  return scaled.toSorted((a, b) => a.atMs - b.atMs);
}

/**
 * Rows that share a moment are spread up to the next one, in their order: some traces keep time in ticks of seconds, and a
 * replay of them as written is a replay of bursts nobody sent.
 */
export function spreadTies(rows: readonly TraceRow[], random: Random): readonly TraceRow[] {
  const spread: TraceRow[] = [];
  for (let from = 0; from < rows.length;) {
    const atMs = rows[from]?.atMs ?? 0;
    let to = from;
    while (to < rows.length && rows[to]?.atMs === atMs) to++;
    const tickMs = (rows[to]?.atMs ?? atMs) - atMs;
    const offsetsMs = Array.from({ length: to - from }, () => random.next() * tickMs).sort(
      (a, b) => a - b,
    );
    for (const [index, row] of rows.slice(from, to).entries())
      spread.push({ ...row, atMs: atMs + (offsetsMs[index] ?? 0) });
    from = to;
  }
  return spread;
}

/** Rows shortened to fit a model's context, and how many had to be. The answer keeps its length as far as it fits. */
export function fitContext(
  rows: readonly TraceRow[],
  contextTokens: number,
): { readonly rows: readonly TraceRow[]; readonly clamped: number } {
  let clamped = 0;
  const fitted = rows.map((row) => {
    if (row.inputTokens + row.outputTokens <= contextTokens) return row;
    clamped++;
    const outputTokens = Math.min(row.outputTokens, Math.floor(contextTokens / 2));
    return {
      ...row,
      outputTokens,
      inputTokens: Math.min(row.inputTokens, contextTokens - outputTokens),
    };
  });
  return { rows: fitted, clamped };
}
