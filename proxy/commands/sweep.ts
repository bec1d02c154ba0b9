import { Command, InvalidArgumentError, Option } from "commander";
import type { ArrivalName } from "../../load/results/point.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import type { ChooseOptions } from "../../load/prompts/choose-material.ts";
import { type ConnectionFlags, withConnectionFlags } from "./connection-flags.ts";
import { durationFlag } from "./duration-flag.ts";
import {
  type EmbeddedFlags,
  embeddedRequest,
  SEED_DEFAULT,
  withEmbeddedFlags,
} from "./embedded-flags.ts";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";
import { type OutputFlags, withOutputFlags } from "./output-flags.ts";
import type { PlanFlags } from "./sweep-plan.ts";

/** Flags of `pitot sweep`. */
export interface SweepFlags extends ConnectionFlags, PlanFlags, EmbeddedFlags, OutputFlags {
  readonly model?: string;
  readonly prompts: ChooseOptions["wanted"];
  readonly workers?: number;
  readonly selfTest: boolean;
  readonly out: string;
  readonly resume?: string;
  readonly json?: true;
  readonly jsonl?: true;
}

const SEED_MAX = 2 ** 31 - 1;
const WORKERS_MAX = 64;
const TURNS_MAX = 100;
const CONCURRENCY_MAX = 8_192;
const PRESETS = ["smoke", "quick", "standard", "full"] as const;
const ARRIVALS: readonly ArrivalName[] = ["poisson", "constant", "gamma"];
const PROMPTS = ["auto", "ids", "random-ids", "text"];

/** `pitot sweep`: from one request at a time to the flood, and the rate that meets each objective. */
export function sweepCommand(): Command {
  const command = withConnectionFlags(new Command("sweep"))
    .description("measure an engine from one request at a time to a flood; find the rates it holds")
    .argument("[url]", "engine or proxy to measure (the run's own with --resume)")
    .addOption(new Option("--preset <name>", "how thoroughly").choices(PRESETS).default("quick"));
  const measured = withOutputFlags(withWorkload(command))
    .option("--model <name>", "model to ask for (the target's first when absent)")
    .addOption(
      new Option("--prompts <kind>", "what prompts are made of").choices(PROMPTS).default("auto"),
    )
    .option(
      "--workers <n>",
      "threads that send, 0 for none (one less than cores when absent)",
      integerFlag({ min: 0, max: WORKERS_MAX }),
    )
    .option("--no-self-test", "skip measuring what this machine's loopback carries")
    .option(
      "--seed <n>",
      "same seed, same prompts",
      integerFlag({ min: 0, max: SEED_MAX }),
      SEED_DEFAULT,
    )
    .option("--out <dir>", "where runs are kept", "data")
    .option("--resume <run>", "go on with a run that was cut short: its folder or id")
    .option("--json", "print one JSON document instead of the table")
    .option("--jsonl", "print events as they happen, one JSON object a line");
  return withEmbeddedFlags(measured).action(runSweepCommand);
}

function withWorkload(command: Command): Command {
  return command
    .option("--shape <in>x<out>", "input and output tokens (repeatable)", collect)
    .option(
      "--shapes <list>",
      "almanac-9, almanac-long, interactive, inferencex, a list, a grid, or a trace (repeatable)",
      collect,
    )
    .option("--mix <shares>", 'shapes by share, such as "70% 1024x128, 30% 128x1024"')
    .option("--dataset <file>", "prompts from a JSONL file")
    .option("--prefix-share <share>", "part of every prompt shared with others, 0 to 1", shareFlag)
    .option("--turns <n>", "turns of each conversation", integerFlag({ min: 1, max: TURNS_MAX }))
    .option("--think <duration>", "pause between turns, such as 2s", durationFlag)
    .option("--objective <text>", "such as 'ttft_p95<=1s' (repeatable)", collect)
    .addOption(
      new Option(
        "--arrivals <process>",
        "of open-loop rates (a trace's own, else poisson)",
      ).choices(ARRIVALS),
    )
    .option("--cv <x>", "burstiness of gamma arrivals: 1 is Poisson (default: 2)", positiveFlag)
    .option("--rate <n>", "hold this many requests/s instead (repeatable)", collectNumbers)
    .option("--concurrency <n>", "hold this many at once instead (repeatable)", collectWhole);
}

async function runSweepCommand(
  url: string | undefined,
  flags: SweepFlags,
  command: Command,
): Promise<void> {
  const { readOutputs, statusOf, writeReports } = await import("./sweep-outputs.ts");
  if (flags.replica !== undefined) {
    // What nobody said is the proxy's to choose.
    const isChosen = command.getOptionValueSource("preset") !== "default";
    const { preset, ...rest } = flags;
    const wanted = await embeddedRequest(flags.replica, url, isChosen ? { ...rest, preset } : rest);
    const outputs = readOutputs(flags, flags.out, []);
    const { sweepReplica } = await import("./sweep-replica.ts");
    process.exitCode = await sweepReplica(wanted, flags, outputs);
    return;
  }
  const outputs = readOutputs(flags, flags.out, ["html"]);
  const { prepareSweep } = await import("./sweep-session.ts");
  const { judgeRun } = await import("../../load/results/judged-summary.ts");
  const { runSweep } = await import("../../load/sweep/sweep.ts");
  const { repeatCommand } = await import("./sweep-repeat.ts");
  const { exitOnNextSignal, untilInterrupted } = await import("./until-interrupted.ts");
  const { openSweepLines } = await import("./open-sweep-lines.ts");
  const stop = new AbortController();
  const session = await prepareSweep(url, flags, stop.signal);
  const lines = openSweepLines(flags);
  void untilInterrupted().then(() => {
    lines.stopping();
    stop.abort();
    exitOnNextSignal();
  });
  try {
    const { summary, directory, command } = await session.run(async (options) => {
      const onEvent = (event: SweepEvent): void => {
        options.onEvent(event);
        lines.take(event);
      };
      const { subject, plan } = options;
      return {
        summary: judgeRun(await runSweep({ ...options, onEvent }), outputs),
        directory: options.directory,
        command: repeatCommand(subject, plan, flags.failIf),
      };
    });
    process.exitCode = statusOf(summary, outputs.failOnWorse);
    lines.verdicts(summary);
    const { thresholds, comparison } = summary;
    const input = { summary, thresholds, comparison, command };
    lines.written(directory === null ? [] : writeReports(directory, outputs.formats, input));
  } finally {
    lines.close();
  }
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function collectNumbers(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, positiveFlag(text)];
}

function collectWhole(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, integerFlag({ min: 1, max: CONCURRENCY_MAX })(text)];
}

function shareFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`"${text}" is not a share: write a number from 0 to 1.`);
}

/** The sentence for a sweep with nothing to sweep. */
export function missingUrl(): CommandError {
  return new CommandError(
    EXIT.usage,
    "name what to measure: a URL such as http://127.0.0.1:8000, a replica of a running proxy by --replica, or a run to go on with by --resume.",
  );
}
