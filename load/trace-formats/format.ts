/** One line of a trace file as fields: a CSV row by its header, or a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request as a format tells it; the reader fills in the rest and puts rows in order. */
export interface RecordedRow {
  /** Arrival on the trace's own clock. */
  readonly stampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's blocks, where the trace tells which requests share beginnings. */
  readonly blockIds?: readonly number[] | null;
  /** Tokens one block id stands for. */
  readonly blockTokens?: number;
  /** Conversation this request is a turn of. */
  readonly session?: string | null;
  /** Pause between the end of the turn before and this one. */
  readonly thinkMs?: number | null;
  /** Part of the input the engine had in its prefix cache when this was recorded. */
  readonly cachedTokens?: number | null;
}

/** A file format of request shapes. Pure: fields in, row out. */
export interface TraceFormat {
  /** What users write with `--format`. */
  readonly name: string;
  /** For `--help`: whose format, and in which columns. */
  readonly title: string;
  /** Whether a file whose first row has these fields is of this format. */
  claims(first: Fields): boolean;
  /** Reads a row; `null` for one that is no request (a failed one, a heading). @throws {Error} saying what is wrong with it. */
  row(fields: Fields): RecordedRow | null;
  /** Rows inside one JSON document, for formats that are not a row per line. */
  expand?(document: Fields): readonly Fields[];
}

/** A whole number of tokens. @throws {Error} naming the field. */
export function tokens(fields: Fields, name: string): number {
  const value = fields[name];
  const count = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0)
    throw new Error(`${name} (${shown(value)}) is not a number of tokens`);
  return count;
}

/** A time in the file's unit. @throws {Error} naming the field. */
export function time(fields: Fields, name: string): number {
  const value = fields[name];
  const at = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof at !== "number" || !Number.isFinite(at))
    throw new Error(`${name} (${shown(value)}) is not a time`);
  return at;
}

/** A list of block ids, or `null` when the field holds none. */
export function blocks(value: unknown): readonly number[] | null {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "number")
    ? value
    : null;
}

/** A name of a conversation, or `null`. Numbers are names too. */
export function sessionName(value: unknown): string | null {
  return (typeof value === "string" && value !== "") || typeof value === "number"
    ? String(value)
    : null;
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 40);
}
