import { createWriteStream, openSync, type WriteStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { request } from "undici";
import type { PitotTraceEnd } from "../../load/trace-formats/pitot.ts";
import { ADMIN_DEFAULT, adminFlag } from "./admin-flag.ts";
import { durationFlag } from "./duration-flag.ts";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag } from "./number-flag.ts";
import { untilInterrupted } from "./until-interrupted.ts";

interface RecordFlags {
  readonly admin: string;
  readonly out?: string;
  readonly for?: number;
  readonly requests?: number;
}

const REQUESTS_MAX = 5_000_000;

/** `pitot record`: the shapes of real traffic, without any text, as a trace `pitot replay` can drive. */
export function recordCommand(): Command {
  return new Command("record")
    .description("export the shapes of real traffic (no text) as a trace")
    .option("--admin <url>", "the proxy's admin address", adminFlag, ADMIN_DEFAULT)
    .option("--out <file>", "where to write it (stdout when absent)")
    .option(
      "--for <duration>",
      "how long to record: 30s, 10m, 1h (until Ctrl-C when absent)",
      durationFlag,
    )
    .option("--requests <n>", "stop after so many", integerFlag({ min: 1, max: REQUESTS_MAX }))
    .addHelpText(
      "after",
      "\nA proxy with a token wants it in PITOT_ADMIN_TOKEN.\n\nExample:\n  pitot record --for 10m --out monday.jsonl && pitot replay monday.jsonl --target http://h100:8000\n",
    )
    .action(runRecord);
}

async function runRecord(flags: RecordFlags): Promise<void> {
  const out = flags.out === undefined ? process.stdout : openFile(flags.out);
  const stop = new AbortController();
  let interrupted = false;
  void untilInterrupted().then(() => {
    interrupted = true;
    stop.abort();
  });
  const timer = flags.for === undefined ? undefined : setTimeout(() => stop.abort(), flags.for);
  try {
    const end = await copyRows(flags, out, stop);
    process.stderr.write(`${sentenceOf(end)}\n`);
  } finally {
    clearTimeout(timer);
    if (out !== process.stdout) {
      out.end();
      await once(out, "close");
    }
  }
  if (interrupted) process.exitCode = EXIT.interrupted;
}

/** Opened before anything else: a recording that has nowhere to go is not begun. */
function openFile(path: string): WriteStream {
  try {
    return createWriteStream(path, { fd: openSync(path, "w") });
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandError(
      EXIT.usage,
      `--out ${path} cannot be written (${why}): name another file.`,
    );
  }
}

/** Copies rows until told to stop. The end lines between them are kept back: the last one is written last. */
async function copyRows(
  { admin, requests = REQUESTS_MAX }: RecordFlags,
  out: WriteStream | NodeJS.WriteStream,
  stop: AbortController,
): Promise<PitotTraceEnd | null> {
  const body = await open(admin, stop.signal);
  let end: PitotTraceEnd | null = null;
  let rows = 0;
  process.stderr.write(`recording shapes from ${admin}; Ctrl-C ends it\n`);
  try {
    for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
      if (line.includes('"trace-end"')) {
        end = JSON.parse(line) as PitotTraceEnd;
        continue;
      }
      if (line.startsWith('{"error"'))
        throw new CommandError(EXIT.failure, `the recording broke off: ${line}`);
      if (!out.write(`${line}\n`)) await once(out, "drain");
      if (!line.startsWith('{"pitot"') && ++rows >= requests) break;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  stop.abort();
  if (end !== null) out.write(`${JSON.stringify({ ...end, recorded: rows })}\n`);
  return end === null ? null : { ...end, recorded: rows };
}

async function open(admin: string, signal: AbortSignal): ReturnType<typeof openBody> {
  try {
    return await openBody(admin, signal);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandError(
      EXIT.unreachable,
      `no proxy answers at ${admin} (${code}): give the admin address of a running one with --admin.`,
    );
  }
}

async function openBody(
  admin: string,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof request>>["body"]> {
  const token = process.env["PITOT_ADMIN_TOKEN"];
  const { statusCode, body } = await request(`${admin.replace(/\/+$/, "")}/api/v1/trace`, {
    signal,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    bodyTimeout: 0,
  });
  if (statusCode === 200) return body;
  await body.dump();
  throw statusCode === 401
    ? new CommandError(EXIT.usage, `${admin} wants a token: set PITOT_ADMIN_TOKEN.`)
    : new CommandError(
        EXIT.unreachable,
        `${admin} answered ${statusCode}: is it Pitot's admin address?`,
      );
}

function sentenceOf(end: PitotTraceEnd | null): string {
  if (end === null) return "nothing was recorded: no request ended meanwhile";
  const { unfinished, uncounted } = end.leftOut;
  const without =
    unfinished + uncounted === 0
      ? ""
      : `; left out ${unfinished} that did not complete and ${uncounted} whose engine counted no tokens`;
  return `recorded ${end.recorded} requests${without}`;
}
