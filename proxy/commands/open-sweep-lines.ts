import { systemClock } from "../../engines/clock.ts";
import type { JudgedSummary } from "../../load/results/judged-summary.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { liveLines } from "../terminal/live-lines.ts";
import { type Lines, plainLines } from "./sweep-lines.ts";
import { verdictEvents, verdictLines } from "./verdict-lines.ts";

/** Everything a sweep prints: data to stdout, progress to stderr. */
export interface SweepLines {
  /** For whatever else there is to say. */
  readonly lines: Lines;
  take(event: SweepEvent): void;
  stopping(): void;
  verdicts(summary: JudgedSummary): void;
  written(files: readonly string[]): void;
  close(): void;
}

/**
 * Lines of a sweep in the form that was asked for: a table, one document, or events. Where stderr is a terminal what is under
 * way is shown live, whatever stdout is; elsewhere a line every ten seconds.
 */
export function openSweepLines(flags: { readonly json?: true; readonly jsonl?: true }): SweepLines {
  const isTable = flags.json !== true && flags.jsonl !== true;
  const out = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const lines: Lines = { data: isTable ? out : () => {}, progress: say };
  const isTerminal = process.stderr.isTTY && process.env["TERM"] !== "dumb";
  const reader = isTerminal
    ? liveLines(lines, process.stderr, systemClock)
    : { lines, take: plainLines(lines), close: () => {} };
  return {
    lines: reader.lines,
    take: (event) => {
      reader.take(event);
      if (flags.jsonl === true) out(JSON.stringify(event));
    },
    stopping: () => {
      reader.close();
      say("stopping: what was measured is kept; once more to end at once");
    },
    verdicts: (summary) => {
      for (const line of verdictLines(summary)) (isTable ? out : say)(line);
      if (flags.jsonl === true)
        for (const event of verdictEvents(summary)) out(JSON.stringify(event));
      if (flags.json === true) out(JSON.stringify(summary));
    },
    written: (files) => {
      for (const file of files) say(`wrote ${file}`);
    },
    close: reader.close,
  };
}
