import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { startProxy } from "../../proxy/serve.ts";

const ROUNDS = 8;
const STREAMS = 200;
const EVENTS = 40;
const GAP_MS = 20;
const LOCAL = { host: "127.0.0.1", port: 0 };

/**
 * What measuring costs the thread that carries requests: CPU per streamed event with everything on (history on disk, log,
 * promises, metrics) against the same proxy whose feed tells nobody, in interleaved rounds of one run.
 */
export async function telemetryBench(): Promise<void> {
  const engine = fork(join(import.meta.dirname, "proxy/engine.ts"));
  const [{ port }] = (await once(engine, "message")) as [{ port: number }];
  const data = mkdtempSync(join(tmpdir(), "pitot-bench-"));
  const proxy = await startProxy({
    replicas: [`e=http://127.0.0.1:${port}`],
    listen: LOCAL,
    admin: LOCAL,
    telemetry: {
      dataDir: data,
      log: { path: join(data, "requests.jsonl") },
      slos: [{ name: "up", objective: 0.99, windowMs: 28 * 86_400_000 }],
    },
  });
  const client = new Worker(new URL(import.meta.url), { workerData: proxy.dataUrl });
  const { feed } = proxy;
  const tell = { began: feed.began.bind(feed), closed: feed.closed.bind(feed) };
  const off = { began: () => {}, closed: () => {} };
  const perEvent = { on: [] as number[], off: [] as number[] };
  for (let round = 0; round < 2 * ROUNDS + 2; round++) {
    const kind = round % 2 === 0 ? "on" : "off";
    Object.assign(feed, kind === "on" ? tell : off);
    const before = process.threadCpuUsage();
    client.postMessage("round");
    await once(client, "message");
    proxy.telemetry.settle();
    const { user, system } = process.threadCpuUsage(before);
    // The first two warm up.
    if (round > 1) perEvent[kind].push((user + system) / (STREAMS * EVENTS));
  }
  const median = (values: readonly number[]): number => percentile(ascending(values), 0.5) ?? 0;
  const [on, without] = [median(perEvent.on), median(perEvent.off)];
  console.log(`CPU per streamed event, main thread, median of ${ROUNDS} interleaved rounds:`);
  console.log(`| telemetry on | off | share |\n| --- | --- | --- |`);
  console.log(
    `| ${on.toFixed(2)} µs | ${without.toFixed(2)} µs | ${(100 * (on / without - 1)).toFixed(1)} % |`,
  );
  await client.terminate();
  await proxy.stop();
  engine.kill();
  rmSync(data, { recursive: true });
}

/** Rounds of streams, on a thread of its own. */
function driveStreams(url: string): void {
  const agent = new Agent({ keepAlive: true, maxSockets: STREAMS });
  const body = JSON.stringify({
    model: "m",
    stream: true,
    bench_events: EVENTS,
    bench_gap_ms: GAP_MS,
    messages: [],
  });
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = request(
        `${url}/v1/chat/completions`,
        { method: "POST", agent, headers: { "content-type": "application/json" } },
        (response) => {
          response.on("end", resolve).resume();
        },
      );
      sent.on("error", reject).end(body);
    });
  parentPort?.on("message", () => {
    void Promise.all(Array.from({ length: STREAMS }, one)).then(() =>
      parentPort?.postMessage("done"),
    );
  });
}

if (!isMainThread) driveStreams(workerData as string);
