import { systemClock } from "../../engines/clock.ts";
import type { Persona } from "../../engines/sim/profiles.ts";
import {
  type SimulatedEngine,
  type SimulatedEngineOptions,
  startSimulatedEngine,
} from "../../engines/sim/server.ts";
import { type RunningProxy, type ServeOptions, startProxy } from "../../proxy/serve.ts";

export const MODEL = "meta-llama/Llama-3.1-8B-Instruct";

export interface TestFleet {
  readonly proxy: RunningProxy;
  readonly engines: readonly SimulatedEngine[];
  stop(): Promise<void>;
}

/** Simulated engines and a proxy in front of them, in this process, on ports the system picks. */
export async function startFleet(
  personas: readonly Persona[],
  {
    engine,
    proxy,
  }: {
    readonly engine?: Partial<SimulatedEngineOptions>;
    readonly proxy?: Partial<ServeOptions>;
  } = {},
): Promise<TestFleet> {
  const engines: SimulatedEngine[] = [];
  for (const [index, persona] of personas.entries()) {
    engines.push(await startSimulatedEngine({ persona, model: MODEL, seed: index + 1, ...engine }));
  }
  const started = await startProxy({
    replicas: engines.map((one, index) => `${one.persona}-${index}=${one.url}`),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    ...proxy,
  });
  return {
    proxy: started,
    engines,
    async stop() {
      await started.stop();
      await Promise.all(engines.map((one) => one.close()));
    },
  };
}

/** Waits until something holds, looking every few ms; fails with `what` after `limitMs`. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const startedMs = systemClock.nowMs();
  while (!(await holds())) {
    if (systemClock.nowMs() - startedMs > limitMs)
      throw new Error(`${what} did not come true within ${limitMs} ms`);
    await systemClock.after(5);
  }
}

/** A chat request body of about the given size with an exact output length. */
export function chatBody(
  options: { readonly prompt?: string; readonly tokens?: number; readonly stream?: boolean } = {},
): string {
  const { prompt = "how fast does it fly", tokens = 8, stream = true } = options;
  return JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: prompt }],
    max_tokens: tokens,
    min_tokens: tokens,
    ignore_eos: true,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
  });
}

export const JSON_HEADERS = { "content-type": "application/json" } as const;
