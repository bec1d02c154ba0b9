import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import type { JsonObject } from "../../engines/engine.ts";
import type { Prompt } from "../target.ts";

/** One prompt of a file, ready to be sent. */
export interface DatasetRow {
  readonly route: Prompt["route"];
  readonly body: JsonObject;
  /** Where the row says; otherwise as long as it is. */
  readonly inputTokens: number | null;
  readonly outputTokens: number;
}

/** A file of prompts that cannot be used, with line and what to do. */
export class DatasetError extends Error {
  override readonly name = "DatasetError";
}

/** Rows read at most: more prompts than any sweep sends. */
export const ROWS_MAX = 100_000;
/** Answer length where a row names none. */
const OUTPUT_TOKENS_DEFAULT = 128;

/**
 * Reads a JSONL file of prompts: `{"prompt": "…"}` or `{"messages": […]}`, with `output_tokens` and `input_tokens` where
 * known. Texts go to the engine and nowhere else.
 * @throws {DatasetError} naming file and line.
 */
export async function readDataset(file: string): Promise<readonly DatasetRow[]> {
  const rows: DatasetRow[] = [];
  let line = 0;
  try {
    for await (const text of createInterface({
      input: createReadStream(file),
      crlfDelay: Infinity,
    })) {
      line++;
      if (text.trim() === "") continue;
      if (rows.length === ROWS_MAX) throw new Error(`there are more than ${ROWS_MAX} rows`);
      rows.push(readRow(text));
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (why.includes("ENOENT")) throw new DatasetError(`${file}: no such file.`);
    throw new DatasetError(line === 0 ? `${file}: ${why}.` : `${file}:${line}: ${why}.`);
  }
  if (rows.length === 0) throw new DatasetError(`${file}: holds no prompt.`);
  return rows;
}

/** `dataset:chat.jsonl`: its name in results. */
export function datasetName(file: string): string {
  return `dataset:${basename(file)}`;
}

function readRow(text: string): DatasetRow {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    throw new Error("the line is not JSON");
  }
  if (typeof row !== "object" || row === null) throw new Error("the line is not an object");
  const { prompt, messages, ...rest } = row as Record<string, unknown>;
  const lengths = {
    inputTokens: rest["input_tokens"] === undefined ? null : count(rest, "input_tokens"),
    outputTokens:
      rest["output_tokens"] === undefined ? OUTPUT_TOKENS_DEFAULT : count(rest, "output_tokens"),
  };
  if (Array.isArray(messages) && messages.length > 0) {
    return { route: "chat", body: { messages: messages as JsonObject[] }, ...lengths };
  }
  if (typeof prompt === "string" && prompt !== "") {
    const body = { messages: [{ role: "user", content: prompt }] };
    return { route: "chat", body, ...lengths };
  }
  throw new Error('there is neither a "prompt" nor "messages"');
}

function count(row: Record<string, unknown>, name: string): number {
  const value = row[name];
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} "${String(value)}" is not a number of tokens`);
}
