import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { type Fault, FaultError, parseFault } from "../../engines/sim/faults.ts";
import type { ScriptedTiming } from "../../engines/sim/scripted-core.ts";
import type { SimulatedEngineOptions } from "../../engines/sim/server.ts";
import { addressOption, type ListenAddress } from "../config/listen.ts";
import { CommandError, EXIT } from "./exit.ts";
import { fromZeroFlag, integerFlag, positiveFlag, shareFlag } from "./number-flag.ts";

type Persona = "vllm" | "sglang" | "tensorrt-llm" | "llama.cpp";

/** What `pitot sim` was told. */
export interface SimFlags {
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
  readonly maxNumSeqs?: number;
  readonly maxModelLen?: number;
  readonly kvTokens?: number;
  readonly prefixCache: boolean;
  readonly drafts?: number;
  readonly acceptance: number;
  readonly bootSeconds: number;
  readonly apiKey?: string;
  readonly allRoutes?: boolean;
  readonly fault: readonly string[];
  readonly script?: string;
}

const TOKENS = { min: 1, max: 1e9 } as const;
/** Measured with EAGLE-3 drafts on an 8B model. */
const ACCEPTANCE = 0.62;
const SEED_MAX = 2 ** 31 - 1;
/** Replicas one process holds without its event loop becoming the engines' limit. */
const REPLICAS_MAX = 64;
/** The engine and its cards. */
export function addEngineFlags(command: Command): Command {
  return command
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
    .addOption(addressOption("--listen <address>", "where to answer", "127.0.0.1:8000"))
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
    .option("--speed <x>", "how many times faster than the hardware", positiveFlag, 1);
}

/** Its times and limits. */
export function addModelFlags(command: Command): Command {
  return command
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
    .option("--max-num-seqs <n>", "requests in a batch at most", integerFlag(TOKENS))
    .option("--max-model-len <n>", "longest prompt and answer, tokens", integerFlag(TOKENS))
    .option("--kv-tokens <n>", "size of the KV cache, tokens", integerFlag(TOKENS))
    .option("--no-prefix-cache", "compute every prompt anew")
    .option(
      "--drafts <n>",
      "speculative decoding: tokens drafted a step",
      integerFlag({ min: 1, max: 16 }),
    )
    .option("--acceptance <p>", "chance that a draft is right", shareFlag, ACCEPTANCE);
}

/** Its life and what goes wrong in it. */
export function addLifeFlags(command: Command): Command {
  return command
    .option(
      "--boot-seconds <s>",
      "how long loading takes, at start and after a restart",
      fromZeroFlag,
      0,
    )
    .option("--api-key <key>", "key its clients must give")
    .option("--all-routes", "also routes the engine keeps off by default")
    .option("--fault <fault>", "something that goes wrong from the start (repeatable)", collect, [])
    .option("--script <file>", "faults by time, YAML or JSON: a list of {atSeconds, faults}");
}

/** The engine's options. @throws {CommandError} for flags that make no sense. */
export async function simOptions(flags: SimFlags): Promise<SimulatedEngineOptions> {
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
    ...limitsOf(flags),
    ...(weights === undefined ? {} : { weights }),
    ...(flags.script === undefined ? {} : { script: await scriptOf(flags.script) }),
  };
}

function limitsOf(flags: SimFlags): Partial<SimulatedEngineOptions> {
  const { maxNumSeqs, maxModelLen, kvTokens, prefixCache, drafts, acceptance } = flags;
  return {
    prefixCache,
    ...(maxNumSeqs === undefined ? {} : { sequencesMax: maxNumSeqs }),
    ...(maxModelLen === undefined ? {} : { contextTokens: maxModelLen }),
    ...(kvTokens === undefined ? {} : { kvCapacityTokens: kvTokens }),
    ...(drafts === undefined ? {} : { speculative: { drafts, acceptance } }),
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

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
