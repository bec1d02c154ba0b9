import { Command } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";

interface ReplayFlags {
  readonly target: string;
  readonly speed: number;
  readonly limit?: number;
  readonly loop?: true;
  readonly model?: string;
  readonly seed: number;
}

const ROWS_MAX = 5_000_000;
const SEED_MAX = 2 ** 31 - 1;

/** `pitot replay`: real request shapes, at their recorded moments, against an engine or the proxy. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("drive a trace of request shapes at its recorded moments")
    .argument(
      "<trace>",
      "a file (.csv Azure, .jsonl Mooncake), or azure-conversation, azure-code, mooncake-conversation, mooncake-synthetic",
    )
    .requiredOption("--target <url>", "engine or proxy to drive")
    .option("--speed <x>", "how many times faster than recorded", positiveFlag, 1)
    .option("--limit <n>", "only the first n requests", integerFlag({ min: 1, max: ROWS_MAX }))
    .option("--loop", "start over when the trace ends")
    .option("--model <name>", "model to ask for (the target's first when absent)")
    .option("--seed <n>", "same seed, same prompts", integerFlag({ min: 0, max: SEED_MAX }), 1)
    .action(runReplay);
}

async function runReplay(name: string, flags: ReplayFlags): Promise<void> {
  const { readTrace, TraceError, traces } = await import("../../load/trace.ts");
  const { replayTrace } = await import("../../load/replay.ts");
  const { openTarget } = await import("./open-target.ts");
  const { systemClock } = await import("../../engines/clock.ts");
  const { Tally } = await import("../../load/results/tally.ts");
  const known = Object.entries(traces).find(([known]) => known === name)?.[1];
  const rows = await readTrace(known ?? name).catch((error: unknown) => {
    throw error instanceof TraceError ? new CommandError(EXIT.usage, error.message) : error;
  });
  const trace = flags.limit === undefined ? rows : rows.slice(0, flags.limit);
  const { target, model } = await openTarget(flags.target, flags.model);
  const stop = new AbortController();
  const { untilInterrupted } = await import("./until-interrupted.ts");
  void untilInterrupted().then(() => stop.abort());
  process.stderr.write(
    `replaying ${trace.length} requests of ${name} against ${flags.target} (${model}) at ×${flags.speed}\n`,
  );
  const tally = new Tally();
  const { speed, seed } = flags;
  await replayTrace({
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
  if (stop.signal.aborted) process.exitCode = EXIT.interrupted;
}
