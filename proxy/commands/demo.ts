import { randomUUID } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { Command } from "commander";
import { systemClock } from "../../engines/clock.ts";
import { addressOption, type ListenAddress, showAddress } from "../config/listen.ts";
import type { Recorder } from "../live/recording.ts";
import type { RunningProxy } from "../serve.ts";
import type { SloOptions } from "../telemetry/options.ts";
import type { DemoOrder, DemoReport } from "./demo-world.ts";
import { CommandError, EXIT, portInUse } from "./exit.ts";
import { integerFlag, positiveFlag } from "./number-flag.ts";
import { untilInterrupted } from "./until-interrupted.ts";

/** Replicas one worker can hold without its event loop becoming the engines' limit. */
const REPLICAS_MAX = 64;
/** What the demo's replicas serve, and the model named in the `curl` it prints. */
export const DEMO_MODEL = "meta-llama/Llama-3.1-8B-Instruct";

interface DemoFlags {
  readonly replicas: number;
  readonly speed: number;
  readonly traffic: boolean;
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly record?: string;
}

const FOUR_WEEKS_MS = 28 * 24 * 3_600_000;

/** What the demo promises: a chat that answers at once, keeps up with its reader, and does not fail. */
const DEMO_SLOS: readonly SloOptions[] = [
  {
    name: "chat-first-token",
    objective: 0.95,
    match: { route: "chat" },
    targets: [{ metric: "ttft", belowMs: 300 }],
    windowMs: FOUR_WEEKS_MS,
  },
  {
    name: "chat-pace",
    objective: 0.99,
    match: { route: "chat" },
    targets: [{ metric: "tpot", belowMs: 50 }],
    windowMs: FOUR_WEEKS_MS,
  },
  { name: "answered", objective: 0.999, windowMs: FOUR_WEEKS_MS },
];

/** `pitot demo`: simulated H100 replicas, recorded traffic shapes, the proxy, the board. */
export function demoCommand(): Command {
  return new Command("demo")
    .description("simulated H100 replicas, real traffic shapes, the proxy and the board")
    .option("--replicas <n>", "simulated replicas", integerFlag({ min: 1, max: REPLICAS_MAX }), 4)
    .option("--speed <x>", "how many times faster than recorded the trace runs", positiveFlag, 4)
    .option("--no-traffic", "engines and proxy only")
    .addOption(addressOption("--listen <address>", "data plane", "127.0.0.1:8080"))
    .addOption(addressOption("--admin <address>", "board, API and metrics", "127.0.0.1:8081"))
    .option("--record <file>", "write down what the board sees, to be opened without a server")
    .action(runDemo);
}

async function runDemo(flags: DemoFlags): Promise<void> {
  // The engines and their users live in a worker: the proxy has the main thread to itself, as in production.
  const script = `./demo-world${extname(import.meta.filename)}`;
  const world = new Worker(new URL(script, import.meta.url));
  try {
    const replicas = await simulate(world, flags.replicas);
    const proxy = await start(replicas, flags);
    if (flags.traffic)
      order(world, { kind: "traffic", dataUrl: proxy.dataUrl, speed: flags.speed });
    const recorder = await record(proxy, flags.record);
    // Whoever reads the welcome may interrupt at once.
    const interrupted = untilInterrupted();
    process.stdout.write(welcome(proxy));
    await interrupted;
    await recorder?.stop();
    await Promise.all([world.terminate(), proxy.stop()]);
    process.exitCode = EXIT.interrupted;
  } finally {
    await world.terminate();
  }
}

/** Starts the simulated replicas in their worker and resolves with their addresses. */
function simulate(world: Worker, replicas: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    world.on("error", reject);
    world.on("message", (report: DemoReport) => {
      if (report.kind === "ready") resolve(report.replicas);
      else process.stderr.write(`pitot: the demo's traffic stopped: ${report.message}\n`);
    });
    order(world, { kind: "start", replicas, model: DEMO_MODEL });
  });
}

function order(world: Worker, message: DemoOrder): void {
  world.postMessage(message);
}

async function start(replicas: readonly string[], flags: DemoFlags): Promise<RunningProxy> {
  const { startProxy } = await import("../serve.ts");
  const { listen, admin } = flags;
  try {
    return await startProxy({ replicas, listen, admin, telemetry: { slos: DEMO_SLOS } });
  } catch (error) {
    throw (
      portInUse(error, "--listen or --admin", `${showAddress(listen)} or ${showAddress(admin)}`) ??
      error
    );
  }
}

/** Begins a recording, when one is wanted. */
async function record(proxy: RunningProxy, path: string | undefined): Promise<Recorder | null> {
  if (path === undefined) return null;
  const { Recorder } = await import("../live/recording.ts");
  const { telemetry, fleet, release, dataUrl } = proxy;
  const source = { clock: systemClock, telemetry, fleet, release, mayWrite: false };
  try {
    return new Recorder({ ...source, bootId: randomUUID(), dataUrl: () => dataUrl }, path);
  } catch (error) {
    await proxy.stop();
    throw new CommandError(
      EXIT.usage,
      `--record ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function welcome(proxy: RunningProxy): string {
  const messages = [{ role: "user", content: "What does a pitot tube measure?" }];
  const body = JSON.stringify({ model: DEMO_MODEL, stream: true, max_tokens: 64, messages });
  return `
  board     ${proxy.adminUrl}/
  metrics   ${proxy.adminUrl}/metrics
  endpoint  ${proxy.dataUrl}/v1

  try it    curl -N ${proxy.dataUrl}/v1/chat/completions -H 'content-type: application/json' -d '${body}'

  The engines are simulated, the traffic shapes are recorded. Ctrl-C ends everything.

`;
}
