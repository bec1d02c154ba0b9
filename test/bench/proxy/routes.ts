import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";

const CLI = join(import.meta.dirname, "../../../proxy/cli.ts");
const PASSTHROUGH = join(import.meta.dirname, "passthrough.ts");
const BARE_WIRE = join(import.meta.dirname, "bare-wire.ts");
const LOOP_DELAY = join(import.meta.dirname, "loop-delay.ts");
const ENGINE = join(import.meta.dirname, "engine.ts");
/** Proxies on the first core, engine and client on the second: neither may slow the other. */
const PINNED = cpus().length > 1 && spawnSync("taskset", ["-V"]).error === undefined;

/** One way from client to engine. */
export interface Route {
  readonly name: string;
  readonly port: number;
  /** Processes that are this route's own; none for the direct one. */
  readonly pids: readonly number[];
  /** 99th percentile of its event loop's delay since the last call, ms; `null` where it has none. */
  loopDelayP99Ms(): Promise<number | null>;
  stop(): void;
}

export interface BenchEngine {
  readonly port: number;
  readonly pid: number;
  /** Called with the moment a hang-up reached the engine. */
  onAborted(listener: (atMs: number) => void): () => void;
  stop(): void;
}

export async function startEngine(): Promise<BenchEngine> {
  const child = fork(ENGINE, { stdio: "inherit" });
  pin(child.pid ?? 0, 1);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return {
    port,
    pid: child.pid ?? 0,
    onAborted(listener) {
      const hear = (message: { kind: string; atMs?: number }): void => {
        if (message.kind === "aborted") listener(message.atMs ?? 0);
      };
      child.on("message", hear);
      return () => child.off("message", hear);
    },
    stop: () => child.kill(),
  };
}

/** Keeps a process on one core, where the machine has more than one. */
export function pin(pid: number, core: number): void {
  if (PINNED) spawnSync("taskset", ["-a", "-p", "-c", String(core), String(pid)]);
}

export function direct(port: number): Route {
  return {
    name: "direct",
    port,
    pids: [],
    loopDelayP99Ms: () => Promise.resolve(null),
    stop: () => {},
  };
}

/** The least a Node proxy can do with undici: what Pitot as a whole is measured against. */
export function passthrough(port: number): Promise<Route> {
  return nodeRoute("passthrough", [PASSTHROUGH, `http://127.0.0.1:${port}`], "0");
}

/** The same with Pitot's own wire: what the work beside carrying bytes is measured against. */
export function bareWire(port: number): Promise<Route> {
  return nodeRoute("bare wire", [BARE_WIRE, `http://127.0.0.1:${port}`], "0");
}

export function pitot(port: number, threads: number): Promise<Route> {
  const flags = threads === 1 ? [] : ["--threads", String(threads)];
  return nodeRoute(
    threads === 1 ? "pitot" : `pitot --threads ${threads}`,
    [
      CLI,
      "serve",
      "--replica",
      `http://127.0.0.1:${port}`,
      "--listen",
      "127.0.0.1:0",
      "--admin",
      "127.0.0.1:0",
      // History is kept, as it would be: of each Pitot its own.
      "--data",
      mkdtempSync(join(tmpdir(), "pitot-bench-")),
      ...flags,
    ],
    threads === 1 ? "0" : "0,1",
  );
}

async function nodeRoute(name: string, args: readonly string[], cores: string): Promise<Route> {
  const command = [process.execPath, "--import", LOOP_DELAY, ...args];
  const child = spawnPinned(command, cores, ["ignore", "ignore", "pipe"]);
  const said = (): Promise<string> => once(child.stderr!, "data").then(([text]) => String(text));
  const line = await said();
  const port = /http:\S+:(\d+)\/v1/.exec(line)?.[1];
  if (port === undefined) throw new Error(`${name} did not start: ${line}`);
  return {
    name,
    port: Number(port),
    pids: [child.pid ?? 0],
    async loopDelayP99Ms() {
      const answer = said();
      child.kill("SIGUSR2");
      return Number(/p99-ms=([\d.]+)/.exec(await answer)?.[1] ?? Number.NaN);
    },
    stop: () => child.kill("SIGKILL"),
  };
}

export async function nginx(port: number): Promise<Route | null> {
  if (spawnSync("nginx", ["-v"]).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "pitot-nginx-"));
  const listen = await freePort();
  writeFileSync(
    join(folder, "nginx.conf"),
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error; worker_rlimit_nofile 16384; events { worker_connections 8192; }
http { access_log off; client_body_buffer_size 2m; client_max_body_size 64m; client_body_temp_path ${folder}; keepalive_requests 100000;
upstream engine { server 127.0.0.1:${port}; keepalive 1024; keepalive_requests 100000; }
server { listen 127.0.0.1:${listen} backlog=4096; location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; tcp_nodelay on; } } }`,
  );
  const child = spawnPinned(
    ["nginx", "-p", folder, "-c", join(folder, "nginx.conf")],
    "0",
    "ignore",
  );
  return settled("nginx", child, listen);
}

export async function haproxy(port: number): Promise<Route | null> {
  if (spawnSync("haproxy", ["-v"]).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "pitot-haproxy-"));
  const listen = await freePort();
  writeFileSync(
    join(folder, "haproxy.cfg"),
    `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option http-no-delay
  http-reuse always
frontend f
  bind 127.0.0.1:${listen}
  default_backend b
backend b
  server s 127.0.0.1:${port}
`,
  );
  const child = spawnPinned(["haproxy", "-db", "-f", join(folder, "haproxy.cfg")], "0", "ignore");
  return settled("haproxy", child, listen);
}

function spawnPinned(
  command: readonly string[],
  cores: string,
  stdio: "ignore" | ["ignore", "ignore", "pipe"],
): ChildProcess {
  const [program = "", ...args] = PINNED ? ["taskset", "-c", cores, ...command] : command;
  return spawn(program, args, { stdio });
}

/** A native proxy once it listens; its own workers do the work. */
async function settled(name: string, child: ChildProcess, port: number): Promise<Route> {
  await new Promise((resolve) => setTimeout(resolve, 700));
  const workers = spawnSync("pgrep", ["-P", String(child.pid)])
    .stdout.toString()
    .trim();
  const pids = [child.pid ?? 0, ...(workers === "" ? [] : workers.split("\n").map(Number))];
  return {
    name,
    port,
    pids,
    loopDelayP99Ms: () => Promise.resolve(null),
    stop: () => child.kill("SIGTERM"),
  };
}

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

/** User and system time of processes in seconds (proc(5): fields 14 and 15 of `stat`, in hundredths). */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

/** Resident memory of processes in bytes. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0;
    return sum + Number(kib) * 1024;
  }, 0);
}
