import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { cpus } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../engines/clock.ts";
import type { SimState } from "../../engines/sim/control-desk.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");
const REPLICAS = 8;
const STREAMS = [500, 1000, 2000, 4000];
/** Slows the modelled hardware so that each stream gets about this many tokens a second at the smallest load. */
const TOKENS_PER_SECOND = 40;
const SPEED = 0.3;
const WARM_MS = 2_000;
const MEASURE_MS = 4_000;
/** Kernel ticks per second in /proc. */
const TICKS = 100;

interface Row {
  readonly streams: number;
  readonly eventsPerSecond: number;
  readonly perStream: number;
  readonly lagP99Ms: number;
  readonly cpuShare: number;
  readonly cpuPerMillion: number;
}

/** How many events a second one simulating process makes, what they cost, and from where on it is the limit. */
export async function simBench(): Promise<void> {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, node ${process.version}; ${REPLICAS} vLLM replicas in one process, clients in another; ${MEASURE_MS / 1000} s each`,
  );
  const head = [
    "streams",
    "events/s",
    "tokens/s per stream",
    "lag p99",
    "CPU",
    "CPU-s per million events",
  ];
  for (const row of [head, head.map(() => "---")]) console.log(`| ${row.join(" | ")} |`);
  for (const streams of STREAMS) {
    const row = await load(streams);
    const cells = [
      row.streams,
      row.eventsPerSecond.toFixed(0),
      row.perStream.toFixed(1),
      `${row.lagP99Ms.toFixed(1)} ms`,
      `${(100 * row.cpuShare).toFixed(0)} %`,
      row.cpuPerMillion.toFixed(1),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

async function load(streams: number): Promise<Row> {
  const { child, urls } = await simulator();
  const sockets: Socket[] = [];
  try {
    for (let index = 0; index < streams; index++)
      sockets.push(stream(urls[index % REPLICAS]!, index));
    await systemClock.after(WARM_MS);
    const before = await reading(child, urls);
    await systemClock.after(MEASURE_MS);
    const after = await reading(child, urls);
    const seconds = (after.atMs - before.atMs) / 1000;
    const events = after.tokens - before.tokens;
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
    return {
      streams,
      eventsPerSecond: events / seconds,
      perStream: events / seconds / streams,
      lagP99Ms: after.lagP99Ms,
      cpuShare: cpuSeconds / seconds,
      cpuPerMillion: (cpuSeconds / events) * 1e6,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
    child.kill("SIGKILL");
  }
}

async function simulator(): Promise<{ child: ChildProcess; urls: string[] }> {
  const args = [CLI, "sim", "--listen", "127.0.0.1:0", "--replicas", String(REPLICAS)];
  const child = spawn(process.execPath, [...args, "--speed", String(SPEED)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  const urls = await new Promise<string[]>((resolve, reject) => {
    child.once("exit", () => {
      reject(new Error(`the simulator ended: ${text}`));
    });
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = [...text.matchAll(/ on (http:\/\/[\d.:]+)/g)].map(([, url]) => url ?? "");
      if (found.length === REPLICAS) resolve(found);
    });
  });
  return { child, urls };
}

/** One client that reads and does nothing else. */
function stream(url: string, index: number): Socket {
  const { hostname, port } = new URL(url);
  const tokens = Math.ceil(TOKENS_PER_SECOND * ((WARM_MS + MEASURE_MS) / 1000) * 4);
  const body = JSON.stringify({
    prompt: `stream ${index} asks`,
    max_tokens: tokens,
    ignore_eos: true,
    stream: true,
  });
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.resume();
  socket.write(
    `POST /v1/completions HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

async function reading(
  child: ChildProcess,
  urls: readonly string[],
): Promise<{ atMs: number; tokens: number; lagP99Ms: number; cpuSeconds: number }> {
  const states = await Promise.all(
    urls.map(async (url) => (await (await fetch(`${url}/_sim/state`)).json()) as SimState),
  );
  const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return {
    atMs: systemClock.nowMs(),
    tokens: states.reduce((sum, state) => sum + state.stats.outputTokens, 0),
    lagP99Ms: Math.max(...states.map((state) => state.lag.p99Ms)),
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS,
  };
}
