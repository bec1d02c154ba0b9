import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import type { Fault } from "../../engines/sim/faults.ts";
import { type ListenAddress, parseListen, showAddress } from "../config/listen.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";
import { untilInterrupted } from "./until-interrupted.ts";

type Persona = "vllm" | "sglang" | "tensorrt-llm" | "llama.cpp";

interface SimFlags {
  readonly persona: Persona;
  readonly model: string;
  readonly gpu: string;
  readonly tp: number;
  readonly weights?: "bf16" | "fp8" | "mxfp4";
  readonly listen: ListenAddress;
  readonly seed: number;
  readonly speed: number;
  readonly faults?: string;
}

const SEED_MAX = 2 ** 31 - 1;

/** `pitot sim`: one simulated engine on a port, for engineers without a GPU. */
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
      "--seed <n>",
      "same seed, same answers and times",
      integerFlag({ min: 0, max: SEED_MAX }),
      1,
    )
    .option("--speed <x>", "how many times faster than the hardware", positiveFlag, 1)
    .option("--faults <file>", 'JSON list of faults, such as [{"kind":"slow","factor":3}]')
    .action(runSim);
}

async function runSim(flags: SimFlags): Promise<void> {
  const { startSimulatedEngine } = await import("../../engines/sim/server.ts");
  const { SetupError } = await import("../../engines/sim/engine-setup.ts");
  const { listen, faults, ...setup } = flags;
  try {
    const engine = await startSimulatedEngine({
      ...setup,
      ...listen,
      faults: await faultsFrom(faults),
    });
    process.stderr.write(
      `${flags.persona} with ${flags.model} (simulated) on ${engine.url}; faults at ${engine.url}/_sim/faults\n`,
    );
    await untilInterrupted();
    await engine.close();
    process.exitCode = EXIT.interrupted;
  } catch (error) {
    if (error instanceof SetupError) throw new CommandError(EXIT.usage, error.message);
    throw portInUse(error, "--listen", showAddress(listen)) ?? error;
  }
}

async function faultsFrom(file: string | undefined): Promise<readonly Fault[]> {
  if (file === undefined) return [];
  const { FaultError, readFaults } = await import("../../engines/sim/faults.ts");
  try {
    return readFaults(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    const why = error instanceof FaultError ? error.message : "it is missing or not JSON.";
    throw new CommandError(EXIT.usage, `--faults ${file}: ${why}`);
  }
}
