import { request as httpRequest } from "node:http";
import { parseArgs } from "node:util";
import { systemClock } from "../../engines/clock.ts";
import { integer, seededRandom } from "../../engines/random.ts";
import { fitLine } from "../../load/statistics/line.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import { startEngineProcess } from "../harness/engine-process.ts";
import { chatBody, JSON_HEADERS, until } from "../harness/fleet.ts";
import { learnTruth, runSeed, startEngines } from "./schedule.ts";

/**
 * `npm run soak`: five hundred seeds of the fault schedule. `npm run soak -- --minutes 10`: three hundred streams for ten
 * minutes, some of them hung up, and what memory and handles did. Exits 1 when a promise did not hold.
 */
const SEEDS = 500;
const STREAMS = 300;
/** Share of streams whose client hangs up. */
const HANG_UP_SHARE = 0.15;
/** Samples before this are warm-up: code is compiled, pools fill, the first quarter of an hour of history begins. */
const WARM_UP_SHARE = 0.25;
const SAMPLE_MS = 5_000;
const HISTORY_BYTES_MAX = 1_048_576;
/** A fifth of the hardware's: some fifteen tokens a second a stream, so that two cores keep up with all of them. */
const SPEED = 0.2;
/** A heap that grows by more than this is a leak, whatever the noise. */
const SLOPE_MAX_MIB_PER_MINUTE = 0.5;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seeds: { type: "string", default: String(SEEDS) },
    streams: { type: "string", default: String(STREAMS) },
  },
});

process.exitCode =
  values.minutes === undefined
    ? await runSeeds(Number(values.seeds))
    : await runStreams(Number(values.minutes), Number(values.streams));

async function runSeeds(seeds: number): Promise<number> {
  const engines = await startEngines();
  const truth = await learnTruth(engines[0]!);
  let broken = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const sentences = await runSeed(seed, engines, truth, { requests: 100, overMs: 700 });
    for (const sentence of sentences) say(sentence);
    broken += sentences.length;
    if (seed % 25 === 0) say(`${seed} seeds, ${seed * 100} requests, ${broken} broken promises`);
  }
  await Promise.all(engines.map((engine) => engine.close()));
  return broken === 0 ? 0 : 1;
}

interface Sample {
  readonly minute: number;
  readonly heapMiB: number;
  readonly handles: number;
}

async function runStreams(minutes: number, streams: number): Promise<number> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("run it by npm run soak: it needs --expose-gc");
  // In processes of their own: their memory is not what is weighed here.
  const engines = await Promise.all(
    [1, 2, 3, 4].map((seed) => startEngineProcess({ seed, speed: SPEED })),
  );
  const before = handles();
  const proxy = await startProxy({
    replicas: engines.map((engine) => engine.url),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    // Bounded by design, and full only after a quarter of an hour: kept short, or its filling would look like a leak.
    telemetry: { retention: { requests: 200, historyBytesMax: HISTORY_BYTES_MAX } },
  });
  const counts = new Map<string, number>();
  proxy.telemetry.listen({
    ended: ({ outcome }) => counts.set(outcome.kind, (counts.get(outcome.kind) ?? 0) + 1),
  });
  const stop = new AbortController();
  const clients = Array.from({ length: streams }, (_, index) => client(proxy, index, stop.signal));
  const samples = await sample(minutes, () => {
    gc();
  });
  stop.abort();
  await Promise.all(clients);
  await until(() => proxy.feed.inFlightCount === 0, "nothing in flight");
  await proxy.stop();
  const after = await settledHandles(before);
  await Promise.all(engines.map((engine) => engine.kill()));
  return judge(samples, { before, after, counts });
}

/** Asks, listens to the end or hangs up, and asks again. */
async function client(proxy: RunningProxy, seed: number, signal: AbortSignal): Promise<void> {
  const random = seededRandom(seed);
  while (!signal.aborted) {
    const hangUpMs = random.next() < HANG_UP_SHARE ? random.next() * 3_000 : Infinity;
    await ask(proxy.dataUrl, { tokens: 20 + integer(random, 200), hangUpMs, signal });
  }
}

interface Asking {
  readonly tokens: number;
  readonly hangUpMs: number;
  readonly signal: AbortSignal;
}

function ask(origin: string, { tokens, hangUpMs, signal }: Asking): Promise<void> {
  return new Promise((resolve) => {
    const request = httpRequest(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: JSON_HEADERS,
      agent: false,
    });
    const hangUp = (): void => void request.destroy();
    const cancel = hangUpMs === Infinity ? () => {} : systemClock.schedule(hangUpMs, hangUp);
    signal.addEventListener("abort", hangUp, { once: true });
    request.on("response", (response) => {
      response.resume();
      response.on("error", () => {});
    });
    request.on("error", () => {});
    request.on("close", () => {
      cancel();
      signal.removeEventListener("abort", hangUp);
      resolve();
    });
    request.end(chatBody({ tokens }));
  });
}

async function sample(minutes: number, collect: () => void): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const startedMs = systemClock.nowMs();
  while (systemClock.nowMs() - startedMs < minutes * 60_000) {
    await systemClock.after(SAMPLE_MS);
    collect();
    const minute = (systemClock.nowMs() - startedMs) / 60_000;
    const heapMiB = process.memoryUsage().heapUsed / 2 ** 20;
    samples.push({ minute, heapMiB, handles: handles() });
    const last = samples.at(-1);
    if (samples.length % 6 === 0 && last !== undefined)
      say(`minute ${minute.toFixed(1)}: ${last.heapMiB.toFixed(1)} MiB, ${last.handles} handles`);
  }
  return samples;
}

function judge(
  samples: readonly Sample[],
  end: { before: number; after: number; counts: ReadonlyMap<string, number> },
): number {
  const steady = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const line = fitLine(
    steady.map(({ minute }) => minute),
    steady.map(({ heapMiB }) => heapMiB),
  );
  const outcomes = [...end.counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  if (line === null) throw new Error("too short to fit a line: run it for some minutes");
  say(`${outcomes}; heap ${line.slope.toFixed(3)} MiB a minute over ${steady.length} samples`);
  say(`handles before the proxy ${end.before}, after it ${end.after}`);
  return line.slope <= SLOPE_MAX_MIB_PER_MINUTE && end.after <= end.before ? 0 : 1;
}

/** Open handles of this process. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCP|Timeout)/.test(kind)).length;
}

async function settledHandles(wanted: number): Promise<number> {
  await until(() => handles() <= wanted, "handles are back").catch(() => {});
  return handles();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
