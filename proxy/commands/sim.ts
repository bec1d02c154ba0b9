import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { type Fault, FaultError, faultHelp, parseFault } from "../../engines/sim/faults.ts";
import type { ScriptedTiming } from "../../engines/sim/scripted-core.ts";
import type { SimulatedEngine, SimulatedEngineOptions } from "../../engines/sim/server.ts";
import { type ListenAddress, parseListen, showAddress } from "../config/listen.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import { fromZeroFlag, integerFlag, positiveFlag } from "./number-flag.ts";
import { untilInterrupted } from "./until-interrupted.ts";

type Persona = "vllm" | "sglang" | "tensorrt-llm" | "llama.cpp";

interface SimFlags {
  readonly persona: Persona;
  readonly model: string;
  readonly gpu: string;
  readonly tp: number;
  readonly weights?: "bf16" | "fp8" | "mxfp4";
  readonly listen: ListenAddress;
  readonly replicas: number;
  readonly seed: number;
  readonly speed: number;
  readonly timing: "model" | "scripted";
  readonly ttftMs: number;
  readonly itlMs: number;
  readonly rate?: number;
  readonly bootSeconds: number;
  readonly apiKey?: string;
  readonly allRoutes?: boolean;
  readonly fault: readonly string[];
  readonly script?: string;
}

const SEED_MAX = 2 ** 31 - 1;
/** Replicas one process holds without its event loop becoming the engines' limit. */
const REPLICAS_MAX = 64;
/** How often the simulation looks whether the machine keeps up. */
const LAG_EVERY_MS = 5_000;

/** `pitot sim`: simulated engines on ports, for engineers without a GPU. */
export function simCommand(): Command {
  return new Command("sim")
    .description("one simulated engine that times and speaks like the real one")
    .addOption(
      new Option("--persona <name>", "engine to speak like")
        .choices(["vllm", "sglang", "tensorrt-llm", "llama.cpp"])
        .default("vllm"),
    )
    .option("--model <name>", "model of the catalogue", "meta-llama/Llama-3.1-8B-Instruct")
    .option("--gpu <name>", "card it runs on", "h100")
    .option("--tp <n>", "tensor-parallel degree", integerFlag({ min: 1, max: 8 }), 1)
    .addOption(
      new Option("--weights <type>", "weight type (the model's own when absent)").choices([
        "bf16",
        "fp8",
        "mxfp4",
      ]),
    )
    .option("--listen <address>", "where to answer", parseListen, parseListen("127.0.0.1:8000"))
    .option(
      "--replicas <n>",
      "so many, on this and the next ports",
      integerFlag({ min: 1, max: REPLICAS_MAX }),
      1,
    )
    .option(
      "--seed <n>",
      "same seed, same answers and times",
      integerFlag({ min: 0, max: SEED_MAX }),
      1,
    )
    .option("--speed <x>", "how many times faster than the hardware", positiveFlag, 1)
    .addOption(
      new Option("--timing <kind>", "times of the hardware model, or of the flags below")
        .choices(["model", "scripted"])
        .default("model"),
    )
    .option(
      "--ttft-ms <ms>",
      "scripted: from start of service to the first token",
      fromZeroFlag,
      100,
    )
    .option("--itl-ms <ms>", "scripted: between tokens", fromZeroFlag, 10)
    .option("--rate <n>", "scripted: requests begun per second at most", positiveFlag)
    .option(
      "--boot-seconds <s>",
      "how long loading takes, at start and after a restart",
      fromZeroFlag,
      0,
    )
    .option("--api-key <key>", "key its clients must give")
    .option("--all-routes", "also routes the engine keeps off by default")
    .option("--fault <fault>", "something that goes wrong from the start (repeatable)", collect, [])
    .option("--script <file>", "faults by time, YAML or JSON: a list of {atSeconds, faults}")
    .addHelpText("after", () => `\nFaults:\n${faultHelp()}\n\n${EXAMPLES}`)
    .action(runSim);
}

const EXAMPLES = `Per-request faults also take share=, first= and route=. JSON is taken too: --fault '{"kind":"freeze"}'.

Examples:
  pitot sim --persona sglang --boot-seconds 20
  pitot sim --fault status:status=503,retryAfterSeconds=2,share=0.1 --fault slow:factor=3
  pitot sim --timing scripted --ttft-ms 80 --itl-ms 8 --rate 25
  curl -X PUT localhost:8000/_sim/faults -d '[{"kind":"stall","afterTokens":10,"first":3}]'
  curl localhost:8000/_sim/state`;

async function runSim(flags: SimFlags): Promise<void> {
  const { startSimulatedEngine } = await import("../../engines/sim/server.ts");
  const { SetupError } = await import("../../engines/sim/engine-setup.ts");
  const engines: SimulatedEngine[] = [];
  let listen = flags.listen;
  try {
    const options = await optionsOf(flags);
    for (let index = 0; index < flags.replicas; index++) {
      listen = portAfter(flags.listen, index);
      const seed = flags.seed + index;
      const engine = await startSimulatedEngine({ ...options, ...listen, seed });
      engines.push(engine);
      process.stderr.write(welcome(engine, flags));
    }
    const stopWatching = watchLag(engines);
    await untilInterrupted();
    stopWatching();
    process.exitCode = EXIT.interrupted;
  } catch (error) {
    if (error instanceof SetupError) throw new CommandError(EXIT.usage, error.message);
    throw portInUse(error, "--listen", showAddress(listen)) ?? error;
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
  }
}

async function optionsOf(flags: SimFlags): Promise<SimulatedEngineOptions> {
  const { persona, model, gpu, tp, weights, speed, bootSeconds, apiKey, allRoutes } = flags;
  return {
    persona,
    model,
    gpu,
    tp,
    speed,
    bootSeconds,
    apiKey: apiKey ?? null,
    allRoutes: allRoutes === true,
    scripted: scriptedOf(flags),
    faults: faultsOf(flags.fault),
    ...(weights === undefined ? {} : { weights }),
    ...(flags.script === undefined ? {} : { script: await scriptOf(flags.script) }),
  };
}

function scriptedOf({ timing, ttftMs, itlMs, rate }: SimFlags): ScriptedTiming | null {
  if (timing === "scripted") return { ttftMs, itlMs, ratePerSecond: rate ?? null };
  if (rate === undefined) return null;
  throw new CommandError(
    EXIT.usage,
    "--rate is a bound of scripted timing: add --timing scripted.",
  );
}

function faultsOf(texts: readonly string[]): readonly Fault[] {
  try {
    return texts.map(parseFault);
  } catch (error) {
    if (error instanceof FaultError)
      throw new CommandError(EXIT.usage, `--fault: ${error.message}`);
    throw error;
  }
}

async function scriptOf(file: string): Promise<SimulatedEngineOptions["script"] & {}> {
  const { readScript } = await import("../../engines/sim/fault-script.ts");
  const { parse, YAMLParseError } = await import("yaml");
  try {
    // JSON is YAML, so one reader does for both.
    return readScript(parse(readFileSync(file, "utf8")));
  } catch (error) {
    if (error instanceof FaultError || error instanceof YAMLParseError)
      throw new CommandError(
        EXIT.usage,
        `--script ${file}: ${error.message.split("\n", 1)[0] ?? ""}`,
      );
    throw new CommandError(EXIT.usage, `--script ${file} cannot be read: check the path.`);
  }
}

function portAfter(listen: ListenAddress, index: number): ListenAddress {
  return listen.port === 0 ? listen : { ...listen, port: listen.port + index };
}

function welcome(engine: SimulatedEngine, { bootSeconds, model, timing }: SimFlags): string {
  const boot = bootSeconds > 0 ? `, ready in ${bootSeconds} s` : "";
  const times = timing === "scripted" ? "scripted times" : "simulated";
  return `${engine.persona} with ${model} (${times}) on ${engine.url}${boot}; faults at ${engine.url}/_sim/faults\n`;
}

/** Says when the machine, not the model, decides the times; the returned function stops it. */
function watchLag(engines: readonly SimulatedEngine[]): () => void {
  const timer = setTimeout(() => {
    const worst = engines
      .map((engine) => engine.state().lag)
      .reduce((a, b) => (b.p99Ms > a.p99Ms ? b : a));
    if (worst.isTheLimit)
      process.stderr.write(
        `pitot: the simulation is the limit: steps end ${worst.p99Ms.toFixed(0)} ms late at the p99. Use fewer --replicas, a lower --speed or a quieter machine.\n`,
      );
    timer.refresh();
  }, LAG_EVERY_MS);
  return () => {
    clearTimeout(timer);
  };
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
