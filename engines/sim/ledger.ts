import type { LedgerRow } from "./books.ts";

/** Requests the simulator remembers for tests and for the curious, over restarts of its engine. */
export const LEDGER_ROWS_MAX = 10_000;

/** What the ledger says in sum. */
export interface LedgerSummary {
  readonly requests: number;
  readonly finished: number;
  readonly aborted: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

/** The simulator's own record of each request, apart from what the engine it plays would know. */
export class Ledger {
  /** The last {@link LEDGER_ROWS_MAX} requests, oldest first. */
  readonly rows: LedgerRow[] = [];

  open(
    known: Pick<LedgerRow, "id" | "route" | "receivedMs" | "inputTokens" | "streamed">,
  ): LedgerRow {
    const row: LedgerRow = {
      ...known,
      cachedTokens: 0,
      outputTokens: 0,
      scheduledMs: null,
      firstTokenMs: null,
      lastTokenMs: null,
      abortedMs: null,
      finishedMs: null,
    };
    this.rows.push(row);
    if (this.rows.length > LEDGER_ROWS_MAX) this.rows.shift();
    return row;
  }

  /** Of the rows that are remembered. */
  summary(): LedgerSummary {
    const sum = (of: (row: LedgerRow) => number): number =>
      this.rows.reduce((total, row) => total + of(row), 0);
    return {
      requests: this.rows.length,
      finished: sum((row) => (row.finishedMs === null ? 0 : 1)),
      aborted: sum((row) => (row.abortedMs === null ? 0 : 1)),
      inputTokens: sum((row) => row.inputTokens),
      cachedTokens: sum((row) => row.cachedTokens),
      outputTokens: sum((row) => row.outputTokens),
    };
  }
}
