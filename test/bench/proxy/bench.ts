import { cpus } from "node:os";
import { ascending, percentile } from "../../../load/statistics/percentile.ts";
import { RawClient } from "./client.ts";
import { abortLatencies, type Load, loads } from "./loads.ts";
import {
  bareWire,
  cpuSeconds,
  direct,
  haproxy,
  nginx,
  passthrough,
  pin,
  pitot,
  residentBytes,
  type Route,
  startEngine,
} from "./routes.ts";

/** Rounds over all routes and loads; `--rounds N` changes it. */
const ROUNDS = 3;

/** What one route showed under one load, over all rounds. */
interface Cell {
  readonly firstByteMs: number[];
  readonly gapMs: number[];
  readonly cpuSeconds: number[];
  readonly seconds: number[];
  readonly loopDelayMs: number[];
  readonly bytesPerStream: number[];
  /** Share of a core the client and engine used: near 1, and they were the limit. */
  readonly ownLoad: number[];
  ended: number;
  failed: number;
}

/**
 * Direct, nginx, haproxy, a bare undici pass-through, Pitot's bare wire and Pitot with its meter on: every load over every route, interleaved in
 * one run, printed as tables of ratios. Asserts nothing.
 */
export async function proxyBench(flags: readonly string[]): Promise<void> {
  const rounds = Number(flags[flags.indexOf("--rounds") + 1] ?? Number.NaN) || ROUNDS;
  const only = flags.includes("--only") ? flags[flags.indexOf("--only") + 1] : undefined;
  const engine = await startEngine();
  pin(process.pid, 1);
  const found = [
    direct(engine.port),
    await nginx(engine.port),
    await haproxy(engine.port),
    await passthrough(engine.port),
    await bareWire(engine.port),
    await pitot(engine.port, 1),
    await pitot(engine.port, 2),
  ];
  const routes = found.filter((route): route is Route => route !== null);
  const chosen = loads.filter((load) => only === undefined || load.name.includes(only));
  const cells = new Map<string, Cell>();
  const own = [engine.pid, process.pid];
  // A proxy runs for weeks: the first round, in which V8 still compiles it, counts for nothing.
  for (let round = 0; round <= rounds; round++) {
    const counted = round === 0 ? new Map<string, Cell>() : cells;
    for (const load of chosen) {
      for (const route of routes) await measure(route, load, { own, cells: counted });
    }
  }
  const aborts = new Map<string, number[]>();
  for (const route of routes)
    aborts.set(route.name, await abortLatencies(new RawClient(route.port), engine));
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, node ${process.version}, ${rounds} interleaved rounds after an unmeasured one; proxies on one core, client and engine on the other. Medians over rounds.`,
  );
  for (const load of chosen) printLoad(load, routes, cells);
  printAborts(aborts);
  for (const name of ["nginx", "haproxy"])
    if (!routes.some((route) => route.name === name))
      console.log(
        `\n${name} is not installed, so nothing is compared with it: \`apt-get install ${name}\` and run again.`,
      );
  for (const route of routes) route.stop();
  engine.stop();
}

async function measure(
  route: Route,
  load: Load,
  { own, cells }: { readonly own: readonly number[]; readonly cells: Map<string, Cell> },
): Promise<void> {
  const cell = cells.get(`${load.name} ${route.name}`) ?? emptyCell();
  cells.set(`${load.name} ${route.name}`, cell);
  const client = new RawClient(route.port);
  for (let run = 0; run < load.warmUps; run++) await load.run(client, () => {});
  await route.loopDelayP99Ms();
  const before = {
    cpu: cpuSeconds(route.pids),
    own: cpuSeconds(own),
    rss: residentBytes(route.pids),
  };
  let rss = before.rss;
  const startedMs = performance.now();
  const seen = await load.run(client, () => {
    rss = residentBytes(route.pids);
  });
  const seconds = (performance.now() - startedMs) / 1000;
  cell.cpuSeconds.push(cpuSeconds(route.pids) - before.cpu);
  cell.ownLoad.push((cpuSeconds(own) - before.own) / seconds);
  cell.seconds.push(seconds);
  cell.firstByteMs.push(...seen.firstByteMs);
  cell.gapMs.push(...seen.gapMs);
  cell.ended += seen.ended;
  cell.failed += seen.failed;
  if (load.streams > 0) cell.bytesPerStream.push((rss - before.rss) / load.streams);
  const delayMs = await route.loopDelayP99Ms();
  if (delayMs !== null) cell.loopDelayMs.push(delayMs);
  client.close();
}

function emptyCell(): Cell {
  return {
    firstByteMs: [],
    gapMs: [],
    cpuSeconds: [],
    seconds: [],
    loopDelayMs: [],
    bytesPerStream: [],
    ownLoad: [],
    ended: 0,
    failed: 0,
  };
}

function printLoad(load: Load, routes: readonly Route[], cells: ReadonlyMap<string, Cell>): void {
  const cellOf = (name: string): Cell | undefined => cells.get(`${load.name} ${name}`);
  const floor = cellOf("direct");
  const native = cellOf("nginx");
  if (floor === undefined) return;
  const isStream = load.events > 0;
  const head = [
    "",
    "first byte p50",
    "p99",
    ...(isStream ? ["gap p99", "CPU s / M events", "kB / stream"] : ["req/s", "req per CPU s"]),
    "× nginx",
    "loop p99",
    "failed",
    "client+engine",
  ];
  console.log(`\n**${load.name}**\n`);
  for (const row of [head, head.map(() => "---")]) console.log(`| ${row.join(" | ")} |`);
  for (const { name, pids } of routes) {
    const cell = cellOf(name);
    if (cell === undefined) continue;
    const own = pids.length === 0;
    const first = (q: number): string =>
      added(at(cell.firstByteMs, q), at(floor.firstByteMs, q), own);
    const cost = (one: Cell | undefined): number =>
      one === undefined ? Number.NaN : costOf(one, load);
    const middle = isStream
      ? [
          added(at(cell.gapMs, 0.99), at(floor.gapMs, 0.99), own),
          own ? "—" : cost(cell).toFixed(1),
          own ? "—" : (median(cell.bytesPerStream) / 1000).toFixed(1),
        ]
      : [(cell.ended / sum(cell.seconds)).toFixed(0), own ? "—" : (1 / cost(cell)).toFixed(0)];
    const ratio = own ? "—" : `×${(cost(cell) / cost(native)).toFixed(2)}`;
    console.log(
      `| ${[name, first(0.5), first(0.99), ...middle, ratio, cell.loopDelayMs.length === 0 ? "—" : `${median(cell.loopDelayMs).toFixed(1)} ms`, String(cell.failed), `${(median(cell.ownLoad) * 100).toFixed(0)} %`].join(" | ")} |`,
    );
  }
}

/** CPU seconds per million events, or per request where there are none. */
function costOf(cell: Cell, load: Load): number {
  const rounds = cell.cpuSeconds.length;
  return load.events > 0
    ? (median(cell.cpuSeconds) / load.events) * 1e6
    : sum(cell.cpuSeconds) / Math.max(1, cell.ended) || Number.NaN * rounds;
}

function printAborts(aborts: ReadonlyMap<string, readonly number[]>): void {
  console.log("\n**hang-ups in mid-stream, until the engine's socket closed**\n");
  for (const row of [
    ["", "reached", "p50", "p99"],
    ["---", "---", "---", "---"],
  ])
    console.log(`| ${row.join(" | ")} |`);
  for (const [name, latencies] of aborts)
    console.log(
      `| ${name} | ${latencies.length} | ${at(latencies, 0.5).toFixed(1)} ms | ${at(latencies, 0.99).toFixed(1)} ms |`,
    );
}

/** A latency itself for the direct route, what a proxy adds to it for the others. */
function added(valueMs: number, floorMs: number, isFloor: boolean): string {
  return isFloor
    ? `${valueMs.toFixed(2)} ms`
    : `${valueMs >= floorMs ? "+" : "−"}${Math.abs(valueMs - floorMs).toFixed(2)} ms`;
}

function at(values: readonly number[], q: number): number {
  return percentile(ascending(values), q) ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return at(values, 0.5);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
