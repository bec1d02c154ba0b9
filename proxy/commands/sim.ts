import { Command } from "commander";
import { faultHelp } from "../../engines/sim/faults.ts";
import type { SimulatedEngine } from "../../engines/sim/server.ts";
import { type ListenAddress, showAddress } from "../config/listen.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import {
  addEngineFlags,
  addLifeFlags,
  addModelFlags,
  type SimFlags,
  simOptions,
} from "./sim-flags.ts";
import { untilInterrupted } from "./until-interrupted.ts";

/** How often the simulation looks whether the machine keeps up. */
const LAG_EVERY_MS = 5_000;

/** `pitot sim`: simulated engines on ports, for engineers without a GPU. */
export function simCommand(): Command {
  const command = new Command("sim").description(
    "one simulated engine that times and speaks like the real one",
  );
  return addLifeFlags(addModelFlags(addEngineFlags(command)))
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
  // Whoever reads the welcome may interrupt at once.
  const interrupted = untilInterrupted();
  let listen = flags.listen;
  try {
    const options = await simOptions(flags);
    for (let index = 0; index < flags.replicas; index++) {
      listen = portAfter(flags.listen, index);
      const seed = flags.seed + index;
      const engine = await startSimulatedEngine({ ...options, ...listen, seed });
      engines.push(engine);
      process.stderr.write(welcome(engine, flags));
    }
    const stopWatching = watchLag(engines);
    await interrupted;
    stopWatching();
    process.exitCode = EXIT.interrupted;
  } catch (error) {
    if (error instanceof SetupError) throw new CommandError(EXIT.usage, error.message);
    throw portInUse(error, "--listen", showAddress(listen)) ?? error;
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
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
