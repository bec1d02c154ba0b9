import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { engines } from "../../engines/index.ts";
import { type SimulatedEngine, startSimulatedEngine } from "../../engines/sim/server.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { replayTrace } from "../../load/replay.ts";
import { readTrace, traces } from "../../load/trace.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import { MODEL, until } from "../harness/fleet.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");
const SEEN_DOWN_MS = 3_000;
const SEEN_UP_MS = 10_000;

async function startProcess(port: number): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [CLI, "sim", "--model", MODEL, "--listen", `127.0.0.1:${port}`],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  await once(child.stderr, "data");
  return child;
}

/** A port free a moment ago; the process under test must come back on the same one. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => {
        resolve(port);
      });
    });
  });
}

let survivors: SimulatedEngine[];
let victim: ChildProcess;
let victimPort: number;
let proxy: RunningProxy;

beforeAll(async () => {
  survivors = await Promise.all(
    (["vllm", "sglang", "tensorrt-llm"] as const).map((persona) =>
      startSimulatedEngine({ persona, model: MODEL }),
    ),
  );
  victimPort = await freePort();
  victim = await startProcess(victimPort);
  const urls = survivors.map((engine, index) => `survivor-${index}=${engine.url}`);
  proxy = await startProxy({
    replicas: [...urls, `victim=http://127.0.0.1:${victimPort}`],
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
  });
});

afterAll(async () => {
  victim.kill("SIGKILL");
  await proxy.stop();
  await Promise.all(survivors.map((engine) => engine.close()));
});

const state = (): string => proxy.fleet.views().find((view) => view.id === "victim")!.state;

test("a replica killed under load costs no request that had no byte yet, and is back soon after its restart", async () => {
  expect(state()).toBe("up");
  const target = new HttpTarget({
    url: proxy.dataUrl,
    model: MODEL,
    engine: engines.openai,
    clock: systemClock,
    exactLength: false,
  });
  const trace = (await readTrace(traces["azure-conversation"]))
    .slice(0, 1_000)
    .map((row) => ({ ...row, outputTokens: Math.min(row.outputTokens, 60) }));
  const stop = new AbortController();
  const replay = replayTrace({
    trace,
    target,
    speed: 8,
    loop: true,
    seed: 1,
    clock: systemClock,
    signal: stop.signal,
    onExchange: () => {},
  });
  await until(
    () =>
      [...proxy.telemetry.ring.newest()].filter((exchange) => exchange.replica === "victim")
        .length >= 10,
    "the victim has work",
  );

  victim.kill("SIGKILL");
  await until(() => state() === "down", "the proxy sees the death", SEEN_DOWN_MS);
  await systemClock.after(500);
  victim = await startProcess(victimPort);
  await until(() => state() === "up", "the proxy sees the return", SEEN_UP_MS);
  stop.abort();
  await replay;
  await target.close();

  const ended = [...proxy.telemetry.ring.newest()];
  const broken = ended.filter(
    (exchange) => exchange.outcome.kind === "failed" || exchange.outcome.kind === "cut",
  );
  // Only a request whose answer had begun may break: nothing else could be done for it.
  expect(broken.filter((exchange) => exchange.times.firstByteMs === null)).toEqual([]);
  expect(ended.filter((exchange) => exchange.outcome.kind === "completed").length).toBeGreaterThan(
    50,
  );
});
