import { Worker } from "node:worker_threads";
import { Command, InvalidArgumentError } from "commander";
import type { RunningProxy } from "../serve.ts";
import { parseListen, type ListenAddress } from "../config/listen.ts";
import { EXIT, portInUse } from "./exit.ts";

/** Replicas the demo can hold in one worker without its event loop becoming the engine's limit. */
const REPLICAS_MAX = 64;
/** What the demo's replicas serve, and the model named in the `curl` it prints. */
export const DEMO_MODEL = "meta-llama/Llama-3.1-8B-Instruct";

interface DemoFlags {
  readonly replicas: number;
  readonly speed: number;
  readonly traffic: boolean;
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
}

/** What the worker is told and tells. The proxy stays alone on the main thread, as in production. */
export type DemoOrder =
  | { readonly kind: "start"; readonly replicas: number }
  | { readonly kind: "traffic"; readonly dataUrl: string; readonly speed: number };
export type DemoReport =
  | { readonly kind: "ready"; readonly urls: readonly string[] }
  | { readonly kind: "failed"; readonly message: string };

/** `pitot demo`: simulated H100 replicas, the proxy, recorded traffic shapes through it, the board. */
export function demoCommand(): Command {
  return new Command("demo")
    .description("simulated H100 replicas, real traffic shapes, the proxy and the board")
    .option("--replicas <n>", "simulated replicas", replicaCount, 4)
    .option("--speed <x>", "how many times faster than recorded the trace runs", positive, 3)
    .option("--no-traffic", "engines and proxy only")
    .option("--listen <address>", "data plane", parseListen, parseListen("127.0.0.1:8080"))
    .option(
      "--admin <address>",
      "board, API and metrics",
      parseListen,
      parseListen("127.0.0.1:8081"),
    )
    .action(runDemo);
}

async function runDemo(flags: DemoFlags): Promise<void> {
  const world = new Worker(new URL(import.meta.resolve("./demo-world.ts")));
  const replicas = await simulate(world, flags.replicas);
  const proxy = await start(replicas, flags).catch(async (error: unknown) => {
    await world.terminate();
    throw error;
  });
  if (flags.traffic) order(world, { kind: "traffic", dataUrl: proxy.dataUrl, speed: flags.speed });
  process.stdout.write(welcome(proxy));
  await interrupted();
  await Promise.all([world.terminate(), proxy.stop()]);
  process.exitCode = EXIT.interrupted;
}

/** Starts the simulated replicas in their worker and resolves with their URLs. */
function simulate(world: Worker, replicas: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    world.on("error", reject);
    world.on("message", (report: DemoReport) => {
      if (report.kind === "ready") resolve(report.urls);
      else process.stderr.write(`pitot: demo traffic stopped: ${report.message}\n`);
    });
    order(world, { kind: "start", replicas });
  });
}

function order(world: Worker, message: DemoOrder): void {
  world.postMessage(message);
}

async function start(replicas: readonly string[], flags: DemoFlags): Promise<RunningProxy> {
  const { startProxy } = await import("../serve.ts");
  try {
    return await startProxy({ replicas, listen: flags.listen, admin: flags.admin, data: "none" });
  } catch (error) {
    const { listen, admin } = flags;
    const addresses = `${listen.host}:${listen.port} or ${admin.host}:${admin.port}`;
    throw portInUse(error, "--listen and --admin", addresses) ?? error;
  }
}

function welcome(proxy: RunningProxy): string {
  const body = JSON.stringify({
    model: DEMO_MODEL,
    stream: true,
    max_tokens: 64,
    messages: [{ role: "user", content: "What does a pitot tube measure?" }],
  });
  return `
  board     ${proxy.adminUrl}/
  metrics   ${proxy.adminUrl}/metrics
  endpoint  ${proxy.dataUrl}/v1

  try it    curl -N ${proxy.dataUrl}/v1/chat/completions -H 'content-type: application/json' -d '${body}'

  Engines are simulated, traffic shapes are recorded. Ctrl-C ends everything.
`;
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}

function replicaCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= REPLICAS_MAX) return count;
  throw new InvalidArgumentError(
    `"${text}" is not a number of replicas: give 1 to ${REPLICAS_MAX}.`,
  );
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError(
    `"${text}" is not a speed: give a number above 0, such as 1 or 2.5.`,
  );
}
