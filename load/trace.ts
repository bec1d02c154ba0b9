import { createReadStream, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Fields, RecordedRow, TraceFormat } from "./trace-formats/format.ts";
import { traceFormats, type TraceFormatName } from "./trace-formats/index.ts";

/** One request of a recorded trace: when, how long a prompt, how long an answer. Never any text. */
export interface TraceRow {
  /** Since the trace's first request. */
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's blocks, where the trace tells which requests share beginnings. */
  readonly blockIds: readonly number[] | null;
  /** Tokens a block id stands for; 512 unless given, as in the traces that started it. */
  readonly blockTokens?: number;
  /** Conversation it is a turn of; a turn is not sent before the one ahead of it has ended. */
  readonly session?: string | null;
  /** Pause after the end of the session's turn before. */
  readonly thinkMs?: number | null;
  /** Part of the input that was in the engine's prefix cache. */
  readonly cachedTokens?: number | null;
}

/** A trace that cannot be read, with file, line and what to do. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

/** More rows than this are not held in memory: a week of a busy service. */
export const TRACE_ROWS_MAX = 5_000_000;
/** A JSON document is read whole, so it must be this small; a row per line may be larger. */
const DOCUMENT_BYTES_MAX = 268_435_456;

/** Traces that come with the product, by the name users write. */
export const traces = {
  "azure-conversation": new URL("./traces/azure-llm-2023-conv.csv", import.meta.url),
  "azure-code": new URL("./traces/azure-llm-2023-code.csv", import.meta.url),
  "mooncake-conversation": new URL("./traces/mooncake-conversation-30min.jsonl", import.meta.url),
  "mooncake-synthetic": new URL("./traces/mooncake-synthetic.jsonl", import.meta.url),
} as const;

export type TraceName = keyof typeof traces;

/**
 * Reads a whole trace in any of {@link traceFormats}, told by its columns unless `format` says which. Rows come in order of
 * arrival, the first at 0; a turn of a session whose file gives only a pause keeps its session's place.
 * @throws {TraceError} naming file and line.
 */
export async function readTrace(
  file: string | URL,
  format?: TraceFormatName,
): Promise<readonly TraceRow[]> {
  const name = file instanceof URL ? file.pathname : file;
  const reader = new TraceReader(name, format === undefined ? null : traceFormats[format]);
  try {
    if (name.endsWith(".json")) reader.document(file);
    else await reader.lines(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TraceError(
      why.includes("ENOENT") ? `${name}: no such file.` : `${reader.where}: ${why}.`,
    );
  }
  if (reader.rows.length === 0) throw new TraceError(`${name}: holds no request.`);
  return inOrder(reader.rows);
}

class TraceReader {
  readonly rows: RecordedRow[] = [];
  readonly #name: string;
  #format: TraceFormat | null;
  #columns: readonly string[] | null = null;
  #line = 0;

  constructor(name: string, format: TraceFormat | null) {
    this.#name = name;
    this.#format = format;
  }

  get where(): string {
    return this.#line === 0 ? this.#name : `${this.#name}:${this.#line}`;
  }

  async lines(file: string | URL): Promise<void> {
    for await (const line of createInterface({
      input: createReadStream(file),
      crlfDelay: Infinity,
    })) {
      this.#line++;
      if (line.trim() === "") continue;
      const fields = this.#fields(line);
      if (fields !== null) this.#add(fields);
    }
  }

  document(file: string | URL): void {
    if (statSync(file).size > DOCUMENT_BYTES_MAX)
      throw new Error("the document is too large: write it as JSONL");
    const document = parseObject(readFileSync(file, "utf8"));
    const format = this.#formatOf(document);
    if (format.expand === undefined)
      throw new Error("a row per line is wanted: name the file .jsonl");
    for (const fields of format.expand(document)) this.#add(fields);
  }

  #add(fields: Fields): void {
    const row = this.#formatOf(fields).row(fields);
    if (row === null) return;
    if (row.inputTokens < 1) throw new Error("a prompt has at least one token");
    this.rows.push(row);
    if (this.rows.length > TRACE_ROWS_MAX)
      throw new Error(`there are more than ${TRACE_ROWS_MAX} rows: cut it into pieces`);
  }

  /** The line's fields; `null` for the header of a CSV. */
  #fields(line: string): Fields | null {
    if (this.#columns === null && line.trimStart().startsWith("{")) return parseObject(line);
    const cells = line.split(",").map((cell) => cell.trim().replaceAll(/^"|"$/g, ""));
    const columns = this.#columns;
    if (columns === null) {
      this.#columns = cells;
      return null;
    }
    return Object.fromEntries(columns.map((column, index) => [column, cells[index]]));
  }

  #formatOf(first: Fields): TraceFormat {
    this.#format ??= Object.values(traceFormats).find((known) => known.claims(first)) ?? null;
    if (this.#format !== null) return this.#format;
    const columns = Object.keys(first).slice(0, 8).join(", ");
    throw new Error(
      `the columns (${columns}) are of no format known: name one with --format (${Object.keys(traceFormats).join(", ")})`,
    );
  }
}

function parseObject(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("this is not JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error("this is not a JSON object");
}

/** By arrival, the first at 0. A turn without a time of its own arrives as soon as the one before it in its session. */
function inOrder(rows: readonly RecordedRow[]): readonly TraceRow[] {
  const lastOf = new Map<string, number>();
  const timed = rows.map((row) => {
    const { stampMs, session = null, thinkMs } = row;
    const before = session === null ? undefined : lastOf.get(session);
    const atMs = Number.isNaN(stampMs) ? (before ?? 0) + (thinkMs ?? 0) : stampMs;
    if (session !== null) lastOf.set(session, atMs);
    return { row, atMs };
  });
  const sorted = timed.toSorted((a, b) => a.atMs - b.atMs);
  const firstMs = sorted[0]?.atMs ?? 0;
  return sorted.map(({ row, atMs }) => {
    const { stampMs: _, blockIds = null, outputTokens, ...rest } = row;
    return { ...rest, atMs: atMs - firstMs, blockIds, outputTokens: Math.max(1, outputTokens) };
  });
}
