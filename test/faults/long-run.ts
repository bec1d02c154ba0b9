import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import { systemClock } from "../../engines/clock.ts";
import { fitLine } from "../../load/statistics/line.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import type { Slot } from "../../proxy/telemetry/ladder.ts";
import { type EngineProcess, startEngineProcess } from "../harness/engine-process.ts";
import { until } from "../harness/fleet.ts";
import { fullHistory } from "./full-history.ts";
import { type LiveObjects, liveObjects } from "./live-objects.ts";
import { ENGINE_FAULTS, mixedTraffic } from "./mixed-traffic.ts";
import { passingViewers } from "./passing-viewers.ts";

/** Samples before this are warm-up: code is compiled, connections and pools fill. */
const WARM_UP_SHARE = 0.25;
const SAMPLE_MS = 5_000;
/** A twentieth of the hardware's: some four tokens a second a stream, so that two cores others use as well keep up with all. */
const SPEED = 0.05;
/** Where fewer of the streams are under way, the machine did not keep up, and the heap is that of fewer. */
const UNDER_WAY_SHARE_MIN = 0.8;
const PACE = { hangUpWithinMs: 3_000, slowReadMs: 100 } as const;
/** Full within the first minute. */
const REQUESTS_KEPT = 300;
const LEARN_SECONDS = 60;
/** The longest answers take about as long: before that, fewer end in a second than will. */
const RAMP_UP_SECONDS = 60;
const SETTLE_MS_MAX = 60_000;
/** At some ten requests a second, a hundred and fifty bytes a request. */
const SLOPE_MAX_MIB_PER_MINUTE = 0.1;
/** Of one class, for each stream: one on our side and one on the client's, and what just ended and waits for its second. */
const OBJECTS_PER_STREAM_MAX = 3;

export interface LongRunOptions {
  readonly minutes: number;
  readonly streams: number;
  readonly say: (line: string) => void;
}

interface Sample {
  readonly minute: number;
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly handles: number;
  readonly underWay: number;
}

/** What a run came to. */
interface Findings {
  readonly steady: readonly Sample[];
  /** Alive at the end, with all streams under way. */
  readonly objects: LiveObjects;
  readonly streams: number;
  /** What history says it holds, at the begin and the end. */
  readonly historyBytes: readonly [number, number];
  readonly handles: readonly [before: number, after: number];
}

/**
 * Streams through a proxy whose memory is as full as it may ever be from the start, so that whatever grows is a leak. Says
 * what it finds, and returns how many promises did not hold.
 */
export async function longRun(options: LongRunOptions): Promise<number> {
  const before = handles();
  // In processes of their own: their memory is not what is weighed here.
  const more = ENGINE_FAULTS.flatMap((fault) => ["--fault", fault]);
  const engines = await Promise.all(
    [1, 2, 3, 4].map((seed) => startEngineProcess({ seed, speed: SPEED, more })),
  );
  try {
    const seconds = await learnSeconds(engines, options);
    return judge(await run(engines, seconds, { ...options, before }), options.say);
  } finally {
    await Promise.all(engines.map((engine) => engine.kill()));
  }
}

/** What a second of this traffic looks like in history. */
async function learnSeconds(
  engines: readonly EngineProcess[],
  { streams, say }: LongRunOptions,
): Promise<readonly Slot[]> {
  const proxy = await start(engines);
  const stop = new AbortController();
  const clients = traffic(proxy, streams, stop.signal);
  const { ladder } = proxy.telemetry.traffic;
  while (ladder.seconds().length < RAMP_UP_SECONDS + LEARN_SECONDS) await systemClock.after(1_000);
  const seconds = ladder.seconds().slice(-LEARN_SECONDS);
  stop.abort();
  await clients;
  await proxy.stop();
  say(`learned ${seconds.length} seconds of ${streams} streams`);
  return seconds;
}

async function run(
  engines: readonly EngineProcess[],
  seconds: readonly Slot[],
  { minutes, streams, say, before }: LongRunOptions & { readonly before: number },
): Promise<Findings> {
  const proxy = await start(engines);
  const { traffic: history } = proxy.telemetry;
  history.restore(fullHistory(seconds, systemClock.nowMs()));
  const historyBytes = history.ladder.bytes;
  const outcomes = new Map<string, number>();
  proxy.telemetry.listen({
    ended: ({ outcome }) => outcomes.set(outcome.kind, (outcomes.get(outcome.kind) ?? 0) + 1),
  });
  const stop = new AbortController();
  const clients = [
    traffic(proxy, streams, stop.signal),
    passingViewers(proxy.adminUrl, stop.signal),
  ];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const all = await sample(minutes, { say, delay, underWay: () => proxy.feed.inFlightCount });
  const objects = liveObjects();
  stop.abort();
  await Promise.all(clients);
  await until(() => proxy.feed.inFlightCount === 0, "nothing in flight", SETTLE_MS_MAX);
  const findings = {
    steady: all.filter(
      ({ minute, underWay }) =>
        minute >= minutes * WARM_UP_SHARE && underWay >= streams * UNDER_WAY_SHARE_MIN,
    ),
    historyBytes: [historyBytes, history.ladder.bytes] as const,
  };
  await proxy.stop();
  await until(() => handles() <= before, "handles are back", SETTLE_MS_MAX).catch(() => {});
  say([...outcomes].map(([kind, count]) => `${count} ${kind}`).join(", "));
  say(`loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, collections left out`);
  return { ...findings, objects, streams, handles: [before, handles()] };
}

function start(engines: readonly EngineProcess[]): Promise<RunningProxy> {
  return startProxy({
    replicas: engines.map((engine) => engine.url),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    telemetry: { retention: { requests: REQUESTS_KEPT } },
  });
}

function traffic(proxy: RunningProxy, streams: number, signal: AbortSignal): Promise<void> {
  return mixedTraffic(proxy.dataUrl, { streams, ...PACE, signal });
}

async function sample(
  minutes: number,
  { say, delay, underWay }: Sampling,
): Promise<readonly Sample[]> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("run it by npm run soak: it needs --expose-gc");
  const all: Sample[] = [];
  const startedMs = systemClock.nowMs();
  for (let minute = 0; minute < minutes;) {
    delay.enable();
    await systemClock.after(SAMPLE_MS);
    delay.disable();
    minute = (systemClock.nowMs() - startedMs) / 60_000;
    gc();
    const one = {
      minute,
      heapMiB: dataBytes() / 2 ** 20,
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
      handles: handles(),
      underWay: underWay(),
    };
    all.push(one);
    if (all.length % 6 === 0) say(sampleLine(one));
  }
  return all;
}

interface Sampling {
  readonly say: (line: string) => void;
  readonly delay: ReturnType<typeof monitorEventLoopDelay>;
  readonly underWay: () => number;
}

function sampleLine({ minute, heapMiB, rssMiB, handles: open, underWay }: Sample): string {
  const memory = `heap ${heapMiB.toFixed(1)} MiB, resident ${rssMiB.toFixed(0)} MiB`;
  return `minute ${minute.toFixed(1)}: ${memory}, ${open} handles, ${underWay} under way`;
}

/** Says how each promise was kept; returns how many were not. */
function judge(
  { steady, objects, streams, historyBytes, handles: open }: Findings,
  say: (line: string) => void,
): number {
  const slope = slopeOf(steady, ({ heapMiB }) => heapMiB);
  say(`heap ${slope.toFixed(3)} MiB a minute over ${steady.length} samples`);
  say(`resident ${slopeOf(steady, ({ rssMiB }) => rssMiB).toFixed(3)} MiB a minute`);
  say(`history ${historyBytes.map((bytes) => (bytes / 2 ** 20).toFixed(2)).join(" → ")} MiB`);
  const counts = Object.entries(objects);
  say(`alive at the end: ${counts.map(([name, count]) => `${count} ${name}`).join(", ")}`);
  say(`handles before the proxy ${open[0]}, after it ${open[1]}`);
  const broken = [
    slope > SLOPE_MAX_MIB_PER_MINUTE,
    open[1] > open[0],
    counts.some(([, count]) => count > streams * OBJECTS_PER_STREAM_MAX),
  ];
  return broken.filter(Boolean).length;
}

function slopeOf(samples: readonly Sample[], of: (one: Sample) => number): number {
  const line = fitLine(
    samples.map(({ minute }) => minute),
    samples.map(of),
  );
  if (line === null)
    throw new Error(
      "too few samples with all streams under way: run it for longer, or where more is free",
    );
  return line.slope;
}

/** Used bytes of the heap without compiled code, which V8 makes and throws away as it sees fit. */
function dataBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name }) => !/code|trusted|read_only/.test(space_name))
    .reduce((bytes, { space_used_size }) => bytes + space_used_size, 0);
}

/** Open handles of this process. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCP|Timeout)/.test(kind)).length;
}
