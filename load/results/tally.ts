import { type Exchange, e2eMs, tpotMs, ttftMs } from "../../engines/exchange.ts";
import { ascending, percentile, samplesNeeded } from "../statistics/percentile.ts";

/** Counts and latencies of a run that is not a sweep, as a small table. */
export class Tally {
  readonly #ttft: number[] = [];
  readonly #tpot: number[] = [];
  readonly #e2e: number[] = [];
  readonly #lag: number[] = [];
  readonly #outcomes = new Map<string, number>();
  inputTokens = 0;
  outputTokens = 0;
  count = 0;

  add(exchange: Exchange, lagMs: number): void {
    this.count++;
    this.#outcomes.set(exchange.outcome.kind, (this.#outcomes.get(exchange.outcome.kind) ?? 0) + 1);
    this.inputTokens += exchange.tokens.input ?? 0;
    this.outputTokens += exchange.tokens.output ?? 0;
    this.#lag.push(lagMs);
    const ttft = ttftMs(exchange);
    const tpot = tpotMs(exchange);
    if (ttft !== null) this.#ttft.push(ttft);
    if (tpot !== null) this.#tpot.push(tpot);
    if (exchange.outcome.kind === "completed") this.#e2e.push(e2eMs(exchange));
  }

  outcome(kind: Exchange["outcome"]["kind"]): number {
    return this.#outcomes.get(kind) ?? 0;
  }

  /** Plain text: one line of counts, one per latency; a percentile the samples do not carry is a dash. */
  table(): string {
    const outcomes = [...this.#outcomes].map(([kind, count]) => `${count} ${kind}`).join(", ");
    const counts = `requests  ${this.count} (${outcomes || "none"}); ${this.inputTokens} tokens in, ${this.outputTokens} out`;
    const rows = [
      ["TTFT ms", this.#ttft],
      ["TPOT ms", this.#tpot],
      ["E2E ms", this.#e2e],
      ["send lag ms", this.#lag],
    ] as const;
    const head = ["", "p50", "p95", "p99", "n"].map((cell) => cell.padStart(12)).join("");
    return [counts, head, ...rows.map(([name, values]) => row(name, values))].join("\n");
  }
}

function row(name: string, values: readonly number[]): string {
  const sorted = ascending(values);
  const cells = [0.5, 0.95, 0.99].map((q) => {
    const value = sorted.length < samplesNeeded(q) ? null : percentile(sorted, q);
    return value === null ? "—" : value.toFixed(2);
  });
  return [name, ...cells, String(sorted.length)].map((cell) => cell.padStart(12)).join("");
}
