import { parentPort } from "node:worker_threads";
import { systemClock } from "../../engines/clock.ts";
import { engines } from "../../engines/index.ts";
import type { Persona } from "../../engines/sim/profiles.ts";
import { startSimulatedEngine } from "../../engines/sim/server.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { replayTrace } from "../../load/replay.ts";
import { readTrace, traces } from "../../load/trace.ts";

/** What the demo's worker is told. */
export type DemoOrder =
  | { readonly kind: "start"; readonly replicas: number; readonly model: string }
  | { readonly kind: "traffic"; readonly dataUrl: string; readonly speed: number };

/** What it tells. Replicas come as `name=url`. */
export type DemoReport =
  | { readonly kind: "ready"; readonly replicas: readonly string[] }
  | { readonly kind: "failed"; readonly message: string };

/** The fleet's mix, repeated for larger ones: half vLLM, as in the field. */
const MIX: readonly Persona[] = ["vllm", "vllm", "sglang", "tensorrt-llm"];
const SEED = 2026;

const port = parentPort;
if (port === null) throw new Error("demo-world.ts runs as a worker of the demo");
let model = "";

port.on("message", (order: DemoOrder) => {
  const work = order.kind === "start" ? start(order) : drive(order);
  work.catch((error: unknown) => {
    tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  });
});

async function start(order: Extract<DemoOrder, { kind: "start" }>): Promise<void> {
  ({ model } = order);
  const counts = new Map<Persona, number>();
  const replicas: string[] = [];
  for (let index = 0; index < order.replicas; index++) {
    const persona = MIX[index % MIX.length] ?? "vllm";
    const engine = await startSimulatedEngine({ persona, model, seed: SEED + index });
    const number = counts.get(persona) ?? 0;
    counts.set(persona, number + 1);
    replicas.push(`${persona}-${number}=${engine.url}`);
  }
  tell({ kind: "ready", replicas });
}

/** The recorded conversation, over and over; a user of the proxy like any other. */
async function drive({ dataUrl, speed }: Extract<DemoOrder, { kind: "traffic" }>): Promise<void> {
  const target = new HttpTarget({
    url: dataUrl,
    model,
    engine: engines.openai,
    clock: systemClock,
    exactLength: false,
  });
  const trace = await readTrace(traces["azure-conversation"]);
  await replayTrace({
    trace,
    target,
    speed,
    loop: true,
    seed: SEED,
    clock: systemClock,
    signal: new AbortController().signal,
    onExchange: () => {},
  });
}

function tell(report: DemoReport): void {
  port?.postMessage(report);
}
