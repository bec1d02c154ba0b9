import { csv } from "./csv.ts";
import { html } from "./html.ts";
import { json, jsonl } from "./json.ts";
import { junit } from "./junit.ts";
import { markdown } from "./markdown.ts";
import { parquet } from "./parquet.ts";
import type { Report } from "./report.ts";

/** Every report, by the name users write in `--formats`. */
export const reports = {
  json,
  jsonl,
  csv,
  parquet,
  junit,
  md: markdown,
  html,
} satisfies Record<string, Report>;

export type ReportName = keyof typeof reports;

export const reportNames = Object.keys(reports) as readonly ReportName[];
