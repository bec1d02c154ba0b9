import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { request } from "undici";
import { type Clock, systemClock } from "../clock.ts";
import type { ProbeAnswer, Recognition } from "../engine.ts";
import { identify } from "../identify.ts";
import type { LaunchConfig } from "./launch-config.ts";
import { LaunchError } from "./launch-error.ts";
import { type LoadProgress, readProgress } from "./load-progress.ts";
import { LogTail } from "./log-lines.ts";
import { type Ending, ProcessGroup } from "./process-group.ts";

/** The largest models take most of an hour from a cold cache over a slow line. */
export const START_LIMIT_MS = 3_600_000;
/** After SIGTERM: vLLM and SGLang free their GPUs within seconds, TensorRT-LLM's MPI workers take longest. */
export const STOP_GRACE_MS = 20_000;
/** Between looks at the health route: short against any start, long against the cost of one. */
const READY_POLL_MS = 200;
/** SGLang's health route generates a token and takes a second at least. */
const PROBE_TIMEOUT_MS = 5_000;
/** Log lines told when an engine dies. */
const TOLD_LINES = 20;

export interface LaunchOptions {
  readonly clock?: Clock;
  /** Aborting stops the start and everything started so far; the launch rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly startLimitMs?: number;
  readonly onLine?: (line: string) => void;
  /** Told when the log tells; the same progress is not told twice. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** A running engine and the way to end it. */
export interface LaunchedEngine {
  readonly config: LaunchConfig;
  readonly url: string;
  readonly pid: number;
  readonly recognition: Recognition;
  /** From start to first answer. */
  readonly startMs: number;
  /** The last lines of its log, oldest first. */
  logTail(count?: number): readonly string[];
  /** Resolves when it ended, by itself or by {@link stop}. */
  readonly ended: Promise<Ending>;
  /** Ends it with everything it started. Safe to call again. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Starts an engine and resolves when it answers and is what was expected. On any failure nothing of it is left running.
 * @throws {LaunchError} when the port is taken, the program is missing, ends early, is somebody else or takes too long.
 */
export async function launch(
  config: LaunchConfig,
  options: LaunchOptions = {},
): Promise<LaunchedEngine> {
  const { clock = systemClock, signal, startLimitMs = START_LIMIT_MS } = options;
  signal?.throwIfAborted();
  if (await isTaken(config.url))
    throw new LaunchError(
      "port-taken",
      `${config.url} already answers: stop what listens there, or choose another port for ${config.label}.`,
    );
  const folder = folderFor(config);
  const tail = new LogTail();
  const startedMs = clock.nowMs();
  const cwd = config.cwd ?? folder ?? undefined;
  const group = new ProcessGroup({
    command: config.command,
    ...(config.env === undefined ? {} : { env: config.env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(config.container === undefined ? {} : { container: config.container }),
    clock,
    log: listener(tail, options),
  });
  let stopping: Promise<void> | null = null;
  const stop = (graceMs = STOP_GRACE_MS): Promise<void> => {
    stopping ??= group.stop(graceMs).finally(() => {
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    });
    return stopping;
  };
  try {
    const recognition = await ready(config, group, { clock, tail, signal, startLimitMs });
    return {
      config,
      url: config.url,
      pid: group.pid ?? 0,
      recognition,
      startMs: clock.nowMs() - startedMs,
      logTail: (count = TOLD_LINES) => tail.last(count),
      ended: group.ended,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Waiting {
  readonly clock: Clock;
  readonly tail: LogTail;
  readonly signal: AbortSignal | undefined;
  readonly startLimitMs: number;
}

/** Polls until the engine answers. @throws {LaunchError} when it will not. */
async function ready(
  config: LaunchConfig,
  group: ProcessGroup,
  { clock, tail, signal, startLimitMs }: Waiting,
): Promise<Recognition> {
  const untilMs = clock.nowMs() + startLimitMs;
  const over = new AbortController();
  const give = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])]);
  const ended = group.ended.finally(() => over.abort());
  ended.catch(() => {});
  const told = (): string =>
    tail
      .last(TOLD_LINES)
      .map((line) => `\n  ${line}`)
      .join("");
  for (;;) {
    const { status } = await get(config, config.healthPath, give);
    signal?.throwIfAborted();
    if (over.signal.aborted) throw await endedEarly(config, group, told);
    if (status === 200) return recognised(config, give);
    if (clock.nowMs() >= untilMs)
      throw new LaunchError(
        "timeout",
        `${config.label} was not ready within ${startLimitMs / 1000} s (${config.healthPath} ${status === 0 ? "does not answer" : `answers ${status}`}).${told()}`,
      );
    await clock.after(READY_POLL_MS, give);
  }
}

async function endedEarly(
  config: LaunchConfig,
  group: ProcessGroup,
  told: () => string,
): Promise<LaunchError> {
  try {
    const { code, signal } = await group.ended;
    await group.logEnded();
    const how = signal === null ? `exit status ${code}` : signal;
    const lines = told();
    const log = lines === "" ? " It wrote no log." : ` The last lines of its log:${lines}`;
    return new LaunchError("ended", `${config.label} ended before it was ready (${how}).${log}`);
  } catch (error) {
    const program = config.command[0] ?? "";
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const how = config.install === undefined ? "" : `: ${config.install}`;
    const why = code === "ENOENT" ? "is not installed here" : `cannot be run (${code})`;
    return new LaunchError("not-found", `"${program}" ${why}${how}.`);
  }
}

async function recognised(config: LaunchConfig, signal: AbortSignal): Promise<Recognition> {
  const recognition = await identify((path, within) => get(config, path, within), signal);
  if (recognition.engine === config.engine) return recognition;
  throw new LaunchError(
    "wrong-engine",
    `${config.url} answers as ${recognition.engine}, not as ${config.engine} (${recognition.because}).`,
  );
}

async function get(
  { url, headers }: LaunchConfig,
  path: string,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
  try {
    const answer = await request(url + path, {
      signal: within,
      headers: { ...headers, connection: "close" },
    });
    const flat = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
    const body = await answer.body.text();
    return { path, status: answer.statusCode, headers: Object.fromEntries(flat), body };
  } catch (error) {
    return { path, status: 0, headers: {}, body: String(error) };
  }
}

function listener(
  tail: LogTail,
  { onLine, onProgress }: LaunchOptions,
): { line(text: string): void; unfinished(text: string): void } {
  let last = "";
  const look = (text: string): void => {
    const progress = readProgress(text);
    const key = JSON.stringify(progress);
    if (progress === null || key === last) return;
    last = key;
    onProgress?.(progress);
  };
  return {
    line(text) {
      tail.push(text);
      onLine?.(text);
      look(text);
    },
    unfinished: look,
  };
}

/** A folder for the command's files, removed when the engine is stopped; `null` when it needs none. */
function folderFor({ files }: LaunchConfig): string | null {
  if (files === undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "pitot-launch-"));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, basename(name)), content);
  return folder;
}

function isTaken(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const socket = connect({
    host: hostname,
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
  });
  return new Promise((resolve) => {
    const finish = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(false));
  });
}
