import { Command, Option } from "commander";
import type { TraceRow } from "../../load/trace.ts";
import type { TraceFormatName } from "../../load/trace-formats/index.ts";
import { type ConnectionFlags, withConnectionFlags } from "./connection-flags.ts";
import { durationFlag } from "./duration-flag.ts";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";

interface ReplayFlags extends ConnectionFlags {
  readonly target: string;
  readonly format?: TraceFormatName;
  readonly speed: number;
  readonly rateScale: number;
  readonly from?: number;
  readonly for?: number;
  readonly limit?: number;
  readonly spreadTies?: true;
  readonly loop?: true;
  readonly model?: string;
  readonly seed: number;
}

const ROWS_MAX = 5_000_000;
const SEED_MAX = 2 ** 31 - 1;
const FORMATS = ["pitot", "azure", "burstgpt", "bailian", "mooncake", "vllm", "guidellm"];

/** `pitot replay`: real request shapes, at their recorded moments, against an engine or the proxy. */
export function replayCommand(): Command {
  return withConnectionFlags(new Command("replay"))
    .description("drive a trace of request shapes at its recorded moments")
    .argument(
      "<trace>",
      "a file (.csv, .jsonl, .json), or azure-conversation, azure-code, mooncake-conversation, mooncake-synthetic",
    )
    .requiredOption("--target <url>", "engine or proxy to drive")
    .addOption(
      new Option("--format <name>", "how to read the file (told by its columns)").choices(FORMATS),
    )
    .option("--speed <x>", "how many times faster than recorded", positiveFlag, 1)
    .option(
      "--rate-scale <x>",
      "requests in the same time: 0.5 half as many, 2 twice",
      positiveFlag,
      1,
    )
    .option("--from <duration>", "skip the beginning of the trace: 10m", durationFlag)
    .option("--for <duration>", "use this much of the trace", durationFlag)
    .option("--limit <n>", "only the first n requests", integerFlag({ min: 1, max: ROWS_MAX }))
    .option("--spread-ties", "spread requests that share a moment over the time to the next one")
    .option("--loop", "start over when the trace ends")
    .option("--model <name>", "model to ask for (the target's first when absent)")
    .option("--seed <n>", "same seed, same prompts", integerFlag({ min: 0, max: SEED_MAX }), 1)
    .action(runReplay);
}

async function runReplay(name: string, flags: ReplayFlags): Promise<void> {
  const { replayTrace } = await import("../../load/replay.ts");
  const { systemClock } = await import("../../engines/clock.ts");
  const { Tally } = await import("../../load/results/tally.ts");
  const { openTarget } = await import("./open-target.ts");
  const { untilInterrupted } = await import("./until-interrupted.ts");
  const cut = await readWindow(name, flags);
  const { target, model, recognition } = await openTarget(flags.target, flags.model, flags);
  const trace = await fit(cut, recognition.models.find((card) => card.id === model)?.maxModelLen);
  const stop = new AbortController();
  void untilInterrupted().then(() => stop.abort());
  process.stderr.write(
    `replaying ${trace.length} requests of ${name} against ${flags.target} (${model}) at ×${flags.speed}\n`,
  );
  const tally = new Tally();
  const { speed, seed } = flags;
  const { delayedTurns, capped } = await replayTrace({
    trace,
    target,
    speed,
    seed,
    loop: flags.loop === true,
    clock: systemClock,
    signal: stop.signal,
    onExchange: (exchange, lagMs) => tally.add(exchange, lagMs),
  });
  await target.close();
  process.stdout.write(`${tally.table()}\n`);
  if (delayedTurns > 0)
    process.stderr.write(
      `${delayedTurns} turns came later than recorded: the turn before them had not ended\n`,
    );
  if (stop.signal.aborted) process.exitCode = EXIT.interrupted;
  else if (capped > 0)
    throw new CommandError(
      EXIT.invalidRun,
      `${capped} requests were left out because too many were under way: the load was not the trace's.`,
    );
}

/** The part of the trace that was asked for, at the rate that was asked for. */
async function readWindow(name: string, flags: ReplayFlags): Promise<readonly TraceRow[]> {
  const { readTrace, TraceError, traces } = await import("../../load/trace.ts");
  const { cutTrace, scaleRate, spreadTies } = await import("../../load/trace-window.ts");
  const { forkRandom } = await import("../../engines/random.ts");
  const known = Object.entries(traces).find(([known]) => known === name)?.[1];
  const rows = await readTrace(known ?? name, flags.format).catch((error: unknown) => {
    throw error instanceof TraceError ? new CommandError(EXIT.usage, error.message) : error;
  });
  const spread =
    flags.spreadTies === true ? spreadTies(rows, forkRandom(flags.seed, "ties")) : rows;
  const cut = cutTrace(spread, {
    fromMs: flags.from ?? 0,
    lengthMs: flags.for ?? Infinity,
    rowsMax: flags.limit ?? ROWS_MAX,
  });
  if (cut.length === 0)
    throw new CommandError(
      EXIT.usage,
      `${name} holds no request in that window: it is ${((rows.at(-1)?.atMs ?? 0) / 1000).toFixed(0)} s long.`,
    );
  return flags.rateScale === 1
    ? cut
    : scaleRate(cut, flags.rateScale, forkRandom(flags.seed, "rate"));
}

async function fit(
  rows: readonly TraceRow[],
  contextTokens: number | null | undefined,
): Promise<readonly TraceRow[]> {
  if (contextTokens === null || contextTokens === undefined) return rows;
  const { fitContext } = await import("../../load/trace-window.ts");
  const { rows: fitted, clamped } = fitContext(rows, contextTokens);
  if (clamped > 0)
    process.stderr.write(
      `${clamped} requests were shortened to the model's context of ${contextTokens} tokens\n`,
    );
  return fitted;
}
