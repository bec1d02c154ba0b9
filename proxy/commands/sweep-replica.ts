import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import { type JudgedSummary, judgeRun } from "../../load/results/judged-summary.ts";
import type { SweepRequest, SweepView } from "../synthetic/sweep-view.ts";
import { LEASE_SECONDS } from "./embedded-flags.ts";
import { CommandError, EXIT, type ExitStatus } from "./exit.ts";
import type { SweepFlags } from "./sweep.ts";
import { openSweepLines } from "./open-sweep-lines.ts";
import { shellLine } from "./shell-line.ts";
import type { Lines } from "./sweep-lines.ts";
import { type Outputs, statusOf, writeReports } from "./sweep-outputs.ts";
import { exitOnNextSignal, untilInterrupted } from "./until-interrupted.ts";
import { ViewReader } from "./view-reader.ts";

/** How often the proxy is asked how its sweep stands. */
const ASK_MS = 500;
/** A proxy that takes longer to answer is as good as gone. */
const ANSWER_MS = 5_000;

/**
 * Has a running proxy sweep one of its replicas, and shows what a sweep from the command line shows. Ctrl-C stops the sweep in
 * the proxy; a command that is killed stops asking, and the proxy then ends it by itself.
 */
export async function sweepReplica(
  wanted: SweepRequest,
  flags: SweepFlags,
  outputs: Outputs,
): Promise<ExitStatus> {
  const ask = asker(flags.admin);
  const started = await ask("POST", "", wanted);
  const shown = openSweepLines(flags);
  let isInterrupted = false;
  const stop = new AbortController();
  void untilInterrupted().then(() => {
    isInterrupted = true;
    shown.stopping();
    stop.abort();
    exitOnNextSignal();
  });
  const reader = new ViewReader(shown.lines, (event) => {
    shown.take(event);
  });
  try {
    const over = await follow(started, {
      ask: patient(ask, shown.lines),
      stop: stop.signal,
      hear: (view) => reader.hear(view),
    });
    shown.close();
    const judged = over.summary === null ? null : judgeRun(over.summary, outputs);
    if (judged !== null) shown.verdicts(judged);
    if (over.state !== "done") shown.lines.progress(`${over.id}: ${over.because}`);
    if (judged !== null) shown.written(writeHere(judged, { wanted, flags, outputs }));
    if (isInterrupted) return EXIT.interrupted;
    if (over.state === "failed" || judged === null) return EXIT.failure;
    return over.state === "stopped" ? EXIT.invalidRun : statusOf(judged, outputs.failOnWorse);
  } finally {
    shown.close();
  }
}

/** The proxy may be on another machine: reports are written where the command runs, in a folder of the run's name. */
function writeHere(
  summary: JudgedSummary,
  about: {
    readonly wanted: SweepRequest;
    readonly flags: Pick<SweepFlags, "out" | "admin">;
    readonly outputs: Outputs;
  },
): readonly string[] {
  const { wanted, flags, outputs } = about;
  const directory = join(flags.out, "runs", summary.runId);
  if (outputs.formats.length > 0) mkdirSync(directory, { recursive: true });
  const from = ["pitot", "sweep", "--replica", wanted.replica, "--admin", flags.admin];
  const command = shellLine([...from, "--preset", summary.preset, "--seed", String(summary.seed)]);
  const { thresholds, comparison } = summary;
  const input = { summary, thresholds, comparison, command };
  return writeReports(directory, outputs.formats, input);
}

type Ask = (method: "GET" | "POST" | "DELETE", id: string, body?: object) => Promise<SweepView>;

/** Asks until the sweep is over; told to stop, stops it and goes on asking until it is. */
async function follow(
  started: SweepView,
  { ask, stop, hear }: { ask: Ask; stop: AbortSignal; hear: (view: SweepView) => void },
): Promise<SweepView> {
  let view = started;
  let isTold: boolean = false;
  for (;;) {
    hear(view);
    if (view.endedMs !== null) return view;
    await systemClock.after(ASK_MS, isTold ? undefined : stop);
    const isNew: boolean = stop.aborted && !isTold;
    isTold ||= isNew;
    const path = `/${view.id}`;
    // The last point again: what the proxy added to it may have come after it.
    const known = Math.max(0, view.finished.length - 1);
    if (isNew) view = await ask("DELETE", path);
    else view = withEarlier(view, known, await ask("GET", `${path}?after=${known}`));
  }
}

/** A view of which only the points after the first `known` were asked for, with those. */
function withEarlier(earlier: SweepView, known: number, later: SweepView): SweepView {
  return { ...later, finished: [...earlier.finished.slice(0, known), ...later.finished] };
}

/** Asks again while no answer comes: a proxy that is out of reach for a moment still runs the sweep, until its lease is over. */
function patient(ask: Ask, { progress }: Pick<Lines, "progress">): Ask {
  return async (method, id, body) => {
    const untilMs = systemClock.nowMs() + LEASE_SECONDS * 1000;
    let isTold = false;
    for (;;) {
      try {
        return await ask(method, id, body);
      } catch (error) {
        const isLost = error instanceof CommandError && error.status === EXIT.unreachable;
        if (!isLost || systemClock.nowMs() > untilMs) throw error;
        if (!isTold) progress("the proxy does not answer; asking again");
        isTold = true;
        await systemClock.after(ASK_MS);
      }
    }
  };
}

function asker(admin: string): Ask {
  const root = `${admin.replace(/\/+$/, "")}/api/v1/sweeps`;
  const token = process.env["PITOT_ADMIN_TOKEN"];
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return async (method, id, body) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await request(root + id, {
      method,
      headers,
      headersTimeout: ANSWER_MS,
      ...sent,
    }).catch((error: unknown) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      throw new CommandError(
        EXIT.unreachable,
        `no proxy answers at ${admin} (${code}): give the admin address of a running one with --admin.`,
      );
    });
    const text = await answer.body.text();
    if (answer.statusCode < 300) return JSON.parse(text) as SweepView;
    if (answer.statusCode === 401)
      throw new CommandError(EXIT.usage, `${admin} wants a token: set PITOT_ADMIN_TOKEN.`);
    throw refusal(answer.statusCode, text, admin);
  };
}

function refusal(status: number, text: string, admin: string): CommandError {
  try {
    const { error } = JSON.parse(text) as { error: { message: string } };
    return new CommandError(status === 409 ? EXIT.failure : EXIT.usage, error.message);
  } catch {
    const sentence = `${admin} answered ${status}: is it Pitot's admin address?`;
    return new CommandError(EXIT.unreachable, sentence);
  }
}
