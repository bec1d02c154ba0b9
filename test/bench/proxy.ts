import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { request as httpRequest, Agent } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { ascending, percentile } from "../../load/statistics/percentile.ts";

const ROUNDS = 5;
const EVENTS = 40;
const GAP_MS = 5;
const LIGHT_STREAMS = 4;
const HEAVY_STREAMS = 100;
const SHORT_REQUESTS = 600;
const SHORT_CONCURRENCY = 16;
const CLI = join(import.meta.dirname, "../../proxy/cli.ts");

/** One way from client to engine. */
interface Route {
  readonly name: string;
  readonly url: string;
  /** CPU seconds its process has used; `null` where there is none between. */
  readonly cpuSeconds: () => number | null;
  readonly stop: () => void;
}

interface Figures {
  readonly firstByteMs: number[];
  readonly gapMs: number[];
  shortPerSecond: number[];
  cpuPerEventUs: number[];
}

/** Direct, through Pitot and, where installed, through nginx: interleaved rounds in one run, printed as ratios. */
export async function proxyBench(): Promise<void> {
  const upstream = new Worker(new URL(import.meta.resolve("./upstream.ts")), {
    workerData: { events: EVENTS, gapMs: GAP_MS },
  });
  const [port] = (await once(upstream, "message")) as [number];
  const routes = [direct(port), await pitot(port), await nginx(port)].filter(
    (route) => route !== null,
  );
  const figures = new Map<string, Figures>(
    routes.map((route) => [
      route.name,
      { firstByteMs: [], gapMs: [], shortPerSecond: [], cpuPerEventUs: [] },
    ]),
  );
  for (const route of routes) await streams(route.url, 20);
  for (let round = 0; round < ROUNDS; round++) {
    for (const route of routes) await oneRound(route, figures.get(route.name)!);
  }
  print(figures);
  for (const route of routes) route.stop();
  await upstream.terminate();
}

async function oneRound(route: Route, figures: Figures): Promise<void> {
  const light = await streams(route.url, LIGHT_STREAMS);
  figures.firstByteMs.push(...light.flatMap((stream) => stream.firstByteMs));
  const cpuBefore = route.cpuSeconds();
  const heavy = await streams(route.url, HEAVY_STREAMS);
  const cpuAfter = route.cpuSeconds();
  figures.gapMs.push(...heavy.flatMap((stream) => stream.gapsMs));
  if (cpuBefore !== null && cpuAfter !== null)
    figures.cpuPerEventUs.push(((cpuAfter - cpuBefore) * 1e6) / (HEAVY_STREAMS * EVENTS));
  const startedMs = performance.now();
  await short(route.url);
  figures.shortPerSecond.push(SHORT_REQUESTS / ((performance.now() - startedMs) / 1000));
}

function print(figures: ReadonlyMap<string, Figures>): void {
  const direct = figures.get("direct")!;
  const at = (values: readonly number[], q: number): number =>
    percentile(ascending(values), q) ?? Number.NaN;
  const floor = {
    p50: at(direct.firstByteMs, 0.5),
    p99: at(direct.firstByteMs, 0.99),
    gap: at(direct.gapMs, 0.99),
    rate: at(direct.shortPerSecond, 0.5),
  };
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, node ${process.version}, ${ROUNDS} interleaved rounds; client and engine in processes of their own`,
  );
  const head = [
    "",
    "added first byte p50",
    "p99",
    `gap p99 over direct (${HEAVY_STREAMS} streams)`,
    "short req/s",
    "of direct",
    "CPU µs per event",
  ];
  const rows = [...figures].map(([name, one]) => [
    name,
    `${(at(one.firstByteMs, 0.5) - floor.p50).toFixed(2)} ms`,
    `${(at(one.firstByteMs, 0.99) - floor.p99).toFixed(2)} ms`,
    `${(at(one.gapMs, 0.99) - floor.gap).toFixed(2)} ms`,
    at(one.shortPerSecond, 0.5).toFixed(0),
    `×${(at(one.shortPerSecond, 0.5) / floor.rate).toFixed(2)}`,
    one.cpuPerEventUs.length === 0 ? "—" : at(one.cpuPerEventUs, 0.5).toFixed(1),
  ]);
  for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
  ratio(figures, at);
}

/** Pitot against nginx, which meters nothing: the floor of what a proxy can cost. */
function ratio(
  figures: ReadonlyMap<string, Figures>,
  at: (values: readonly number[], q: number) => number,
): void {
  const [direct, ours, nginx] = ["direct", "pitot", "nginx"].map((name) => figures.get(name));
  if (nginx === undefined || direct === undefined || ours === undefined) {
    console.log(
      "\nnginx is not installed, so there is no ratio to it: `apt-get install nginx` and run again.",
    );
    return;
  }
  const added = (one: Figures, q: number): number =>
    at(one.firstByteMs, q) - at(direct.firstByteMs, q);
  console.log(
    `\nagainst nginx: added first byte p50 ×${(added(ours, 0.5) / added(nginx, 0.5)).toFixed(1)}, p99 ×${(added(ours, 0.99) / added(nginx, 0.99)).toFixed(1)}, CPU per event ×${(at(ours.cpuPerEventUs, 0.5) / at(nginx.cpuPerEventUs, 0.5)).toFixed(1)}`,
  );
}

function direct(port: number): Route {
  return {
    name: "direct",
    url: `http://127.0.0.1:${port}`,
    cpuSeconds: () => null,
    stop: () => {},
  };
}

async function pitot(port: number): Promise<Route> {
  const child = spawn(
    process.execPath,
    [
      CLI,
      "serve",
      "--replica",
      `http://127.0.0.1:${port}`,
      "--listen",
      "127.0.0.1:0",
      "--admin",
      "127.0.0.1:0",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const [line] = (await once(child.stderr, "data")) as [Buffer];
  const url = /(http:\S+)\/v1/.exec(line.toString())?.[1];
  if (url === undefined) throw new Error(`pitot did not start: ${line.toString()}`);
  return {
    name: "pitot",
    url,
    cpuSeconds: () => cpuOf([child.pid ?? 0]),
    stop: () => child.kill("SIGKILL"),
  };
}

async function nginx(port: number): Promise<Route | null> {
  if (spawnSync("nginx", ["-v"]).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "pitot-nginx-"));
  const listen = 18_000 + (process.pid % 1000);
  writeFileSync(
    join(folder, "nginx.conf"),
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error; events { worker_connections 4096; }
http { access_log off; upstream engine { server 127.0.0.1:${port}; keepalive 256; } server { listen 127.0.0.1:${listen}; location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }`,
  );
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], {
    stdio: "ignore",
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const workers = spawnSync("pgrep", ["-P", String(child.pid)])
    .stdout.toString()
    .trim()
    .split("\n")
    .map(Number);
  return {
    name: "nginx",
    url: `http://127.0.0.1:${listen}`,
    cpuSeconds: () => cpuOf(workers),
    stop: () => child.kill("SIGTERM"),
  };
}

/** User and system time of processes in seconds (proc(5): fields 14 and 15 of `stat`, in hundredths). */
function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat =
      spawnSync("cat", [`/proc/${pid}/stat`])
        .stdout.toString()
        .split(") ")[1]
        ?.split(" ") ?? [];
    return sum + (Number(stat[11]) + Number(stat[12])) / 100;
  }, 0);
}

interface Stream {
  readonly firstByteMs: number;
  readonly gapsMs: number[];
}

const agent = new Agent({ keepAlive: true, maxSockets: 4096 });
const STREAMED = JSON.stringify({
  model: "m",
  stream: true,
  messages: [{ role: "user", content: "hello" }],
});
const WHOLE = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] });

function post(url: string, body: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    let lastMs = 0;
    let firstByteMs = 0;
    const gapsMs: number[] = [];
    const sent = httpRequest(
      `${url}/v1/chat/completions`,
      {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (response) => {
        response.on("data", () => {
          const nowMs = performance.now();
          if (firstByteMs === 0) firstByteMs = nowMs - startedMs;
          else gapsMs.push(nowMs - lastMs);
          lastMs = nowMs;
        });
        response.on("end", () => {
          resolve({ firstByteMs, gapsMs });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** So many streams, begun a millisecond or so apart. */
function streams(url: string, count: number): Promise<Stream[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 2));
      return post(url, STREAMED);
    }),
  );
}

async function short(url: string): Promise<void> {
  let left = SHORT_REQUESTS;
  await Promise.all(
    Array.from({ length: SHORT_CONCURRENCY }, async () => {
      while (left-- > 0) await post(url, WHOLE);
    }),
  );
}
