import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** One request of a recorded trace: when, how long a prompt, how long an answer. Never any text. */
export interface TraceRow {
  /** Since the trace's first request. */
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's blocks, where the trace tells which requests share beginnings. */
  readonly blockIds: readonly number[] | null;
}

/** A trace that cannot be read, with file, line and what to do. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

/** More rows than this are not held in memory: a week of a busy service. */
export const TRACE_ROWS_MAX = 5_000_000;

/** Traces that come with the product, by the name users write. */
export const traces = {
  "azure-conversation": new URL("./traces/azure-llm-2023-conv.csv", import.meta.url),
  "azure-code": new URL("./traces/azure-llm-2023-code.csv", import.meta.url),
  "mooncake-conversation": new URL("./traces/mooncake-conversation-30min.jsonl", import.meta.url),
  "mooncake-synthetic": new URL("./traces/mooncake-synthetic.jsonl", import.meta.url),
} as const;

export type TraceName = keyof typeof traces;

/** Reads one line; `null` for a header. Throws a plain `Error` whose message says what is wrong with it. */
type LineReader = (line: string) => (TraceRow & { readonly stampMs: number }) | null;

/**
 * Reads a whole trace: the Azure LLM inference CSV (TIMESTAMP, ContextTokens, GeneratedTokens) or Mooncake JSONL
 * (timestamp in ms, input_length, output_length, hash_ids).
 * @throws {TraceError} naming file and line.
 */
export async function readTrace(file: string | URL): Promise<readonly TraceRow[]> {
  const name = file instanceof URL ? file.pathname : file;
  const read = name.endsWith(".csv") ? azureRow : name.endsWith(".jsonl") ? mooncakeRow : null;
  if (read === null)
    throw new TraceError(`${name}: only .csv (Azure) and .jsonl (Mooncake) traces can be read.`);
  const rows: (TraceRow & { stampMs: number })[] = [];
  let lineNumber = 0;
  try {
    for await (const line of createInterface({
      input: createReadStream(file),
      crlfDelay: Infinity,
    })) {
      lineNumber++;
      if (line.trim() === "") continue;
      const row = read(line);
      if (row !== null) rows.push(row);
      if (rows.length > TRACE_ROWS_MAX)
        throw new Error(`there are more than ${TRACE_ROWS_MAX} rows`);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const where = lineNumber === 0 ? name : `${name}:${lineNumber}`;
    throw new TraceError(why.includes("ENOENT") ? `${name}: no such file.` : `${where}: ${why}.`);
  }
  if (rows.length === 0) throw new TraceError(`${name}: holds no request.`);
  return fromFirst(rows);
}

function fromFirst(
  rows: readonly (TraceRow & { readonly stampMs: number })[],
): readonly TraceRow[] {
  const sorted = rows.toSorted((a, b) => a.stampMs - b.stampMs);
  const firstMs = sorted[0]?.stampMs ?? 0;
  return sorted.map(({ stampMs, inputTokens, outputTokens, blockIds }) => ({
    atMs: stampMs - firstMs,
    inputTokens,
    outputTokens,
    blockIds,
  }));
}

const azureRow: LineReader = (line) => {
  if (line.startsWith("TIMESTAMP")) return null;
  const [stamp = "", input = "", output = ""] = line.split(",");
  // Seven digits of fraction and no zone: the first three are kept, the rest added by hand.
  const [, seconds, fraction = "0"] =
    /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d+))?$/.exec(stamp.trim()) ?? [];
  if (seconds === undefined)
    throw new Error(`"${stamp}" is not a timestamp such as 2023-11-16 18:17:03.9799600`);
  const stampMs = Date.parse(`${seconds.replace(" ", "T")}Z`) + Number(`0.${fraction}`) * 1000;
  return { stampMs, atMs: 0, ...lengths(input, output), blockIds: null };
};

const mooncakeRow: LineReader = (line) => {
  let row: Record<string, unknown>;
  try {
    row = JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw new Error("the line is not JSON");
  }
  const stampMs = row["timestamp"];
  if (typeof stampMs !== "number") throw new Error("timestamp (ms) is missing");
  const ids = row["hash_ids"];
  const blockIds = Array.isArray(ids) && ids.every((id) => typeof id === "number") ? ids : null;
  return { stampMs, atMs: 0, ...lengths(row["input_length"], row["output_length"]), blockIds };
};

function lengths(input: unknown, output: unknown): { inputTokens: number; outputTokens: number } {
  const inputTokens = Number(input);
  const outputTokens = Number(output);
  if (!Number.isInteger(inputTokens) || inputTokens < 1)
    throw new Error(`"${String(input)}" is not a number of input tokens`);
  if (!Number.isInteger(outputTokens) || outputTokens < 0)
    throw new Error(`"${String(output)}" is not a number of output tokens`);
  return { inputTokens, outputTokens: Math.max(1, outputTokens) };
}
