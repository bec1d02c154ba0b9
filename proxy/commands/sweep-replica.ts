import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import { type JudgedSummary, judgeRun } from "../../load/results/judged-summary.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import type { Difference, SweepRequest, SweepView } from "../synthetic/sweep-view.ts";
import { CommandError, EXIT, type ExitStatus } from "./exit.ts";
import type { SweepFlags } from "./sweep.ts";
import { type Lines, loadOf, plainLines } from "./sweep-lines.ts";
import { type Outputs, statusOf, writeReports } from "./sweep-outputs.ts";
import { verdictEvents, verdictLines } from "./verdict-lines.ts";
import { shellLine } from "./shell-line.ts";
import { untilInterrupted } from "./until-interrupted.ts";

/** How often the proxy is asked how its sweep stands. */
const ASK_MS = 500;
/** A line of progress at most so often. */
const PROGRESS_MS = 10_000;

/** Has a running proxy sweep one of its replicas, and shows what the command line always shows. Ctrl-C stops the sweep. */
export async function sweepReplica(
  wanted: SweepRequest,
  flags: SweepFlags,
  outputs: Outputs,
): Promise<ExitStatus> {
  const ask = asker(flags.admin);
  const started = await ask("POST", "", wanted);
  let isInterrupted = false;
  const stop = new AbortController();
  void untilInterrupted().then(() => {
    isInterrupted = true;
    stop.abort();
  });
  const isQuiet = flags.json === true || flags.jsonl === true;
  const lines: Lines = {
    data: (line) => (isQuiet ? undefined : process.stdout.write(`${line}\n`)),
    progress: (line) => process.stderr.write(`${line}\n`),
  };
  const toLines = plainLines(lines);
  const reader = new ViewReader(lines, (event) => {
    toLines(event);
    if (flags.jsonl === true) process.stdout.write(`${JSON.stringify(event)}\n`);
  });
  const over = await follow(started, { ask, stop: stop.signal, hear: (view) => reader.hear(view) });
  const judged = over.summary === null ? null : judgeRun(over.summary, outputs);
  if (judged !== null) {
    for (const line of verdictLines(judged)) (isQuiet ? lines.progress : lines.data)(line);
    if (flags.json === true) process.stdout.write(`${JSON.stringify(judged)}\n`);
    if (flags.jsonl === true)
      for (const event of verdictEvents(judged)) process.stdout.write(`${JSON.stringify(event)}\n`);
  }
  if (over.state !== "done") lines.progress(`${over.id}: ${over.because}`);
  if (judged !== null) writeHere(judged, { wanted, flags, outputs });
  if (isInterrupted) return EXIT.interrupted;
  if (over.state === "failed" || judged === null) return EXIT.failure;
  return over.state === "stopped" ? EXIT.invalidRun : statusOf(judged, outputs.failOnWorse);
}

/** The proxy may be on another machine: reports are written where the command runs, in a folder of the run's name. */
function writeHere(
  summary: JudgedSummary,
  about: {
    readonly wanted: SweepRequest;
    readonly flags: Pick<SweepFlags, "out" | "admin">;
    readonly outputs: Outputs;
  },
): void {
  const { wanted, flags, outputs } = about;
  const directory = join(flags.out, "runs", summary.runId);
  if (outputs.formats.length > 0) mkdirSync(directory, { recursive: true });
  const from = ["pitot", "sweep", "--replica", wanted.replica, "--admin", flags.admin];
  const command = shellLine([...from, "--preset", summary.preset, "--seed", String(summary.seed)]);
  const { thresholds, comparison } = summary;
  const input = { summary, thresholds, comparison, command };
  for (const file of writeReports(directory, outputs.formats, input))
    process.stderr.write(`wrote ${file}\n`);
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
    view = await ask(isNew ? "DELETE" : "GET", `/${view.id}`);
  }
}

/** Turns what the API shows into the events every reader of a sweep understands. */
class ViewReader {
  readonly #lines: Lines;
  readonly #say: (event: SweepEvent) => void;
  #isPlanned = false;
  #points = 0;
  #capacities = 0;
  #shape = "";
  #saidMs = systemClock.nowMs();
  #state = "";

  constructor(lines: Lines, say: (event: SweepEvent) => void) {
    this.#lines = lines;
    this.#say = say;
  }

  hear(view: SweepView): void {
    this.#tellState(view);
    this.#tellPlan(view);
    for (const { point } of view.finished.slice(this.#points)) {
      if (point.shape !== this.#shape) this.#tellShape(view, point.shape);
      const remainingMs = view.remainingMs ?? 0;
      this.#say({ kind: "point-finished", atMs: systemClock.nowMs(), point, remainingMs });
    }
    this.#points = view.finished.length;
    for (const { shape, ...capacity } of view.capacities.slice(this.#capacities))
      this.#say({ kind: "capacity", atMs: systemClock.nowMs(), shape, capacity });
    this.#capacities = view.capacities.length;
    if (view.endedMs === null || view.summary === null) return;
    this.#tellDifference(view);
    this.#say({ kind: "ended", atMs: systemClock.nowMs(), summary: view.summary });
  }

  #tellState({ state, because, progress, id, replica }: SweepView): void {
    const nowMs = systemClock.nowMs();
    if (state === this.#state && nowMs - this.#saidMs < PROGRESS_MS) return;
    this.#saidMs = nowMs;
    this.#state = state;
    const point =
      progress === null
        ? because
        : `${progress.pointId}: ${progress.phase}, ${progress.measured} measured, ${progress.inFlight} in flight`;
    this.#lines.progress(`sweep ${id} of ${replica}: ${state}: ${point}`);
  }

  #tellPlan({ id, directory, plan, subject, estimateMs }: SweepView): void {
    if (this.#isPlanned || plan === null || subject === null) return;
    this.#isPlanned = true;
    const about = { runId: id, directory, plan, subject, estimateMs, resumedPoints: 0 };
    this.#say({ kind: "planned", atMs: systemClock.nowMs(), ...about });
  }

  #tellShape({ shapes }: SweepView, shape: string): void {
    this.#shape = shape;
    const index = Math.max(0, shapes.indexOf(shape));
    const of = shapes.length;
    this.#say({ kind: "shape-started", atMs: systemClock.nowMs(), shape, index, of });
  }

  #tellDifference({ difference, finished, path }: SweepView): void {
    if (path !== "both") return;
    const { ttftMs = null, tpotMs = null, e2eMs = null, dearer = [] } = difference ?? {};
    this.#lines.data(
      `\nrouted − direct: TTFT ${spoken(ttftMs)} · TPOT ${spoken(tpotMs)} · E2E ${spoken(e2eMs)}`,
    );
    const first = finished.find(({ point }) => point.pointId === dearer[0]);
    if (first !== undefined)
      this.#lines.data(
        `from ${loadOf(first.point)} on it adds more: TTFT ${spoken(first.difference?.ttftMs ?? null)}`,
      );
  }
}

/** `+0.31 ms [0.28, 0.35], n 512`. */
function spoken(difference: Difference | null): string {
  if (difference === null) return "—";
  const { median, low, high, pairs } = difference;
  const sign = median < 0 ? "−" : "+";
  const end = high === null ? "∞" : high.toFixed(2);
  return `${sign}${Math.abs(median).toFixed(2)} ms [${low.toFixed(2)}, ${end}], ${pairs} pairs`;
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
    const answer = await request(root + id, { method, headers, ...sent }).catch(
      (error: unknown) => {
        const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
        throw new CommandError(
          EXIT.unreachable,
          `no proxy answers at ${admin} (${code}): give the admin address of a running one with --admin.`,
        );
      },
    );
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
