import { Command, InvalidArgumentError, Option } from "commander";
import type { Point } from "../../load/results/smoke-point.ts";
import type { RunFolder, RunManifest } from "../../load/results/smoke-run.ts";
import type { Shape } from "../../load/sweep/smoke.ts";
import { type ConnectionFlags, withConnectionFlags } from "./connection-flags.ts";
import { EXIT } from "./exit.ts";
import { integerFlag } from "./number-flag.ts";
import type { OpenTarget } from "./open-target.ts";
import { untilInterrupted } from "./until-interrupted.ts";

interface SweepFlags extends ConnectionFlags {
  readonly preset: "smoke";
  readonly shape: Shape;
  readonly model?: string;
  readonly seed: number;
  readonly out: string;
  readonly json?: true;
}

const SEED_MAX = 2 ** 31 - 1;

/** `pitot sweep`: how fast is this engine, from one request at a time to a flood. */
export function sweepCommand(): Command {
  return withConnectionFlags(new Command("sweep"))
    .description("measure an engine from one request at a time to a flood")
    .argument("<url>", "engine or proxy to measure")
    .addOption(new Option("--preset <name>", "how thoroughly").choices(["smoke"]).default("smoke"))
    .option("--shape <in>x<out>", "input and output tokens of each request", parseShape, {
      inputTokens: 1024,
      outputTokens: 128,
    })
    .option("--model <name>", "model to ask for (the target's first when absent)")
    .option("--seed <n>", "same seed, same prompts", integerFlag({ min: 0, max: SEED_MAX }), 1)
    .option("--out <dir>", "where runs are kept", "data")
    .option("--json", "print one JSON document instead of the table")
    .action(runSweep);
}

async function runSweep(url: string, flags: SweepFlags): Promise<void> {
  const { openTarget } = await import("./open-target.ts");
  const { smokeSweep, shapeName } = await import("../../load/sweep/smoke.ts");
  const { systemClock } = await import("../../engines/clock.ts");
  const opened = await openTarget(url, flags.model, flags);
  const shape = shapeName(flags.shape);
  const { run, runId } = await openRun(opened, flags, shape);
  const stop = new AbortController();
  void untilInterrupted().then(() => stop.abort());
  process.stderr.write(
    `sweeping ${opened.model} on ${opened.recognition.engine} at ${opened.target.label}, ${shape}, about a minute; keeping ${run.directory}\n`,
  );
  const show = (line: string): void => {
    if (flags.json !== true) process.stdout.write(`${line}\n`);
  };
  show(HEAD);
  const points = await smokeSweep({
    target: opened.target,
    shape: flags.shape,
    runId,
    seed: flags.seed,
    clock: systemClock,
    signal: stop.signal,
    onExchange: (exchange, lagMs) => {
      run.request(exchange, lagMs);
    },
    onPoint: (point) => {
      run.point(point);
      show(row(point));
    },
  });
  await opened.target.close();
  const interrupted = stop.signal.aborted;
  const summary = summaryOf(points, { runId, subject: subjectOf(opened), shape, interrupted });
  run.summary(summary);
  run.end(interrupted ? "interrupted" : "done", new Date(systemClock.nowMs()).toISOString());
  show(`\n${summary.headline}`);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(summary)}\n`);
  process.exitCode = interrupted ? EXIT.interrupted : summary.valid ? EXIT.ok : EXIT.invalidRun;
}

/** Creates the run's folder before the first request goes out. */
async function openRun(
  opened: OpenTarget,
  flags: SweepFlags,
  shape: string,
): Promise<{ run: RunFolder; runId: string }> {
  const { newRunId, RunFolder } = await import("../../load/results/smoke-run.ts");
  const { systemClock } = await import("../../engines/clock.ts");
  const { systemRandom } = await import("../../engines/random.ts");
  const startedAt = new Date(systemClock.nowMs());
  const runId = newRunId(startedAt, systemRandom().next());
  const run = new RunFolder(flags.out, {
    runId,
    schemaVersion: 1,
    state: "running",
    startedAt: startedAt.toISOString(),
    endedAt: null,
    preset: flags.preset,
    seed: flags.seed,
    ...subjectOf(opened),
    shapes: [shape],
    runtime: `node ${process.version}`,
  });
  return { run, runId };
}

function subjectOf({
  target,
  model,
  recognition,
}: OpenTarget): Pick<RunManifest, "target" | "engine" | "engineVersion" | "model"> {
  return {
    target: target.label,
    engine: recognition.engine,
    engineVersion: recognition.version,
    model,
  };
}

interface Summary {
  readonly valid: boolean;
  readonly headline: string;
}

/** The document of `--json` and `summary.json`. */
function summaryOf(
  points: readonly Point[],
  about: {
    readonly runId: string;
    readonly subject: object;
    readonly shape: string;
    readonly interrupted: boolean;
  },
): Summary {
  const { runId, subject, shape, interrupted } = about;
  const invalid = points.find((point) => !point.valid);
  const sendLagP99Ms = Math.max(0, ...points.map((point) => point.sendLagP99Ms ?? 0));
  const document = {
    runId,
    valid: invalid === undefined && !interrupted && points.length > 0,
    invalidBecause: interrupted ? "interrupted" : (invalid?.invalidBecause ?? null),
    headline: headline(points, shape),
    subject,
    shapes: [{ shape, points, capacities: [] }],
    generator: { sendLagP99Ms },
  };
  return document;
}

const COLUMNS = [
  "load",
  "req/s",
  "out tok/s",
  "TTFT p50",
  "p95",
  "TPOT p50",
  "E2E p50",
  "n",
  "failed",
];
const HEAD = COLUMNS.map((name) => name.padStart(10)).join("");

function row(point: Point): string {
  const ms = (value: number | null): string => (value === null ? "—" : `${value.toFixed(1)} ms`);
  const { ttftMs, tpotMs, e2eMs } = point;
  const cells = [
    `c=${point.concurrency ?? "?"}`,
    point.completedRatePerSecond.toFixed(2),
    point.outputTokensPerSecond.toFixed(0),
    ms(ttftMs.p50),
    ms(ttftMs.p95),
    ms(tpotMs.p50),
    ms(e2eMs.p50),
    String(point.completed),
    String(point.failed),
  ];
  return (
    cells.map((cell) => cell.padStart(10)).join("") +
    (point.valid ? "" : `  invalid: ${point.invalidBecause}`)
  );
}

/** The answer in words. */
function headline(points: readonly Point[], shape: string): string {
  const alone = points.find((point) => point.concurrency === 1);
  const most = points.toSorted((a, b) => b.outputTokensPerSecond - a.outputTokensPerSecond)[0];
  if (alone === undefined || most === undefined) return "Nothing was measured.";
  const first =
    alone.ttftMs.p50 === null
      ? `too few requests alone for a median (${alone.ttftMs.n})`
      : `alone ${alone.ttftMs.p50.toFixed(0)} ms to the first token, then ${alone.tpotMs.p50?.toFixed(1) ?? "—"} ms a token`;
  return `At ${shape}: ${first}; at most ${most.outputTokensPerSecond.toFixed(0)} tok/s, reached with ${most.concurrency ?? "?"} at once.`;
}

/** Reads `1024x128`. @throws {InvalidArgumentError} naming the value and the form. */
export function parseShape(text: string): Shape {
  const [, input, output] = /^(\d+)x(\d+)$/.exec(text.trim()) ?? [];
  const shape = { inputTokens: Number(input), outputTokens: Number(output) };
  if (shape.inputTokens >= 1 && shape.outputTokens >= 1) return shape;
  throw new InvalidArgumentError(
    `"${text}" is not a shape: write input x output tokens, such as 1024x128.`,
  );
}
