import { request as httpRequest } from "node:http";
import { systemClock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { integer, type Random, seededRandom } from "../../engines/random.ts";
import { type SimulatedEngine, startSimulatedEngine } from "../../engines/sim/server.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import { chatBody, JSON_HEADERS, MODEL, until } from "../harness/fleet.ts";
import { FaultLink, type Toxic } from "./fault-link.ts";
import { brokenPromises, type Seen, TOKENS } from "./promises.ts";

export interface ScheduleOptions {
  readonly requests: number;
  /** Requests come in over about this long. */
  readonly overMs: number;
  /** Tries per request; the suite proves on one that it would notice a proxy that gives up. */
  readonly attemptsMax?: number;
}

/** Prompts differ in this many ways: enough to tell answers apart. */
const PROMPTS = 8;
/** Share of clients that hang up somewhere on the way. */
const HANG_UP_SHARE = 0.15;
const UNSTREAMED_SHARE = 0.25;
/** How much of two texts is shown from where they differ. */
const SHOWN_CHARS = 200;

/** Everything a link can do, drawn evenly; `null` is a pause. */
const TOXICS: readonly ((random: Random) => Toxic | null)[] = [
  () => null,
  (random) => ({ kind: "latency", ms: 2 + integer(random, 30) }),
  (random) => ({ kind: "bandwidth", bytesPerSecond: 20_000 + integer(random, 100_000) }),
  (random) => ({ kind: "slice", bytes: 1 + integer(random, 40) }),
  () => ({ kind: "timeout" }),
  (random) => ({ kind: "reset", afterBytes: integer(random, 3_000) }),
  (random) => ({ kind: "half-close", afterBytes: integer(random, 3_000) }),
  () => ({ kind: "garbage" }),
  () => ({ kind: "refuse" }),
];

/** Four engines that give the same answers, shared by all seeds. */
export async function startEngines(): Promise<readonly SimulatedEngine[]> {
  return Promise.all(
    [1, 2, 3, 4].map((seed) =>
      startSimulatedEngine({ persona: "vllm", model: MODEL, seed, speed: 40, fixedIds: true }),
    ),
  );
}

/** What the engines answer when nothing is in the way, by prompt and kind. */
export type Truth = ReadonlyMap<string, string>;

export async function learnTruth(engine: SimulatedEngine): Promise<Truth> {
  const truth = new Map<string, string>();
  for (let prompt = 0; prompt < PROMPTS; prompt++) {
    for (const streamed of [true, false]) {
      const seen: Seen = fresh(prompt, streamed);
      await ask(engine.url, seen, "truth", null);
      truth.set(keyOf(seen), seen.text);
    }
  }
  return truth;
}

/**
 * One seed: a fleet of four replicas, three of them behind links that go bad and well again at random, and clients that
 * come, wait and hang up at random. Returns every promise that was broken, in words; none is what one hopes for.
 */
export async function runSeed(
  seed: number,
  engines: readonly SimulatedEngine[],
  truth: Truth,
  { requests, overMs, attemptsMax = 3 }: ScheduleOptions,
): Promise<readonly string[]> {
  const random = seededRandom(seed);
  const links = await Promise.all(engines.map((engine) => FaultLink.open(engine.url)));
  const proxy = await startProxy({
    replicas: links.map((link, index) => `r${index}=${link.url}`),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    // The default to connect: a process that a busy machine leaves out for 300 ms would call the good replica down.
    limits: { connectMs: 2_000, firstTokenMs: 400, wholeMs: 400, stallMs: 300 },
    // Three replicas in four fail here: within the default budget most requests could not be tried again.
    retries: { budgetRatio: 3, budgetFloorPerSecond: 1_000, attemptsMax },
  });
  const records: Exchange[] = [];
  proxy.telemetry.listen({ ended: (exchange) => void records.push(exchange) });
  const stop = new AbortController();
  const weather = links.slice(0, 3).map((link) => makeWeather(link, random, stop.signal));
  const clients: Promise<Seen>[] = [];
  for (let index = 0; index < requests; index++) {
    const seen = fresh(integer(random, PROMPTS), random.next() >= UNSTREAMED_SHARE);
    const hangUpMs = random.next() < HANG_UP_SHARE ? random.next() * 60 : null;
    const startMs = random.next() * overMs;
    clients.push(
      systemClock
        .after(startMs)
        .then(() => ask(proxy.dataUrl, seen, `${seed}-${index}`, hangUpMs))
        .then(() => seen),
    );
  }
  const all = await Promise.all(clients);
  stop.abort();
  await Promise.all(weather);
  await until(() => proxy.feed.inFlightCount === 0, "nothing in flight");
  const broken = [
    ...checkRecords(all, records, seed),
    ...all.flatMap((seen, index) => checkOne(seen, records, `${seed}-${index}`, truth)),
    ...(await checkRest(proxy, engines)),
  ];
  await proxy.stop();
  await Promise.all(links.map((link) => link.close()));
  return broken.map((sentence) => `seed ${seed}: ${sentence}`);
}

function fresh(prompt: number, streamed: boolean): Seen {
  return { prompt, streamed, status: null, text: "", whole: false, hungUp: false };
}

function keyOf({ prompt, streamed }: Seen): string {
  return `${prompt} ${streamed}`;
}

/** A link's fortunes: a toxic for a while, then another. */
async function makeWeather(link: FaultLink, random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const draw = TOXICS[integer(random, TOXICS.length)];
    await link.set(draw?.(random) ?? null);
    await systemClock.after(30 + random.next() * 200, signal);
  }
  await link.set(null);
}

/** Sends one request and takes in what comes. Never rejects: everything that can happen is a result. */
function ask(origin: string, seen: Seen, name: string, hangUpMs: number | null): Promise<void> {
  const { prompt, streamed } = seen;
  return new Promise((resolve) => {
    const request = httpRequest(`${origin}/v1/chat/completions`, {
      method: "POST",
      agent: false,
      headers: { ...JSON_HEADERS, "x-pitot-session": name },
    });
    const cancel =
      hangUpMs === null
        ? () => {}
        : systemClock.schedule(hangUpMs, () => {
            seen.hungUp = !seen.whole;
            request.destroy();
          });
    request.on("response", (response) => {
      seen.status = response.statusCode ?? null;
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        seen.text += text;
      });
      response.on("end", () => {
        seen.whole = response.complete;
      });
      response.on("error", () => {});
    });
    request.on("error", () => {});
    request.on("close", () => {
      cancel();
      resolve();
    });
    request.end(chatBody({ prompt: `prompt ${prompt}`, tokens: TOKENS, stream: streamed }));
  });
}

/** Exactly one record a request. */
function checkRecords(all: readonly Seen[], records: readonly Exchange[], seed: number): string[] {
  const names = records.map((record) => record.session);
  const wanted = all.map((_, index) => `${seed}-${index}`);
  // A client that hangs up before its request is out has asked for nothing.
  const missing = wanted.filter((name, index) => !names.includes(name) && !all[index]?.hungUp);
  const twice = names.filter((name, index) => name !== null && names.indexOf(name) !== index);
  return [
    ...missing.map((name) => `${name} has no record`),
    ...twice.map((name) => `${name} has two records`),
  ];
}

function checkOne(seen: Seen, records: readonly Exchange[], name: string, truth: Truth): string[] {
  const record = records.find((one) => one.session === name);
  if (record === undefined) return [];
  const tries = record.attempts.map((one) => `${one.replica} ${one.result}`).join(", ");
  const story = `${JSON.stringify(record.outcome)} after ${tries}`;
  const right = truth.get(keyOf(seen)) ?? "";
  return brokenPromises({ seen, record, right }).map(
    (promise) => `${name} ${promise} (${story}; ${difference(seen.text, right)})`,
  );
}

/** Where what came is first not what the engine said, and both from there on. */
function difference(came: string, right: string): string {
  let at = 0;
  while (at < came.length && came[at] === right[at]) at++;
  if (at === came.length) return `the engine's first ${at} of ${right.length} characters`;
  const shown = (text: string): string => JSON.stringify(text.slice(at, at + SHOWN_CHARS));
  return `from character ${at} of ${right.length} on ${shown(came)} in place of ${shown(right)}`;
}

/** Nothing is left behind, in the proxy or in the engines. */
async function checkRest(
  proxy: RunningProxy,
  engines: readonly SimulatedEngine[],
): Promise<string[]> {
  const broken: string[] = [];
  for (const view of proxy.fleet.views())
    if (view.inFlight !== 0) broken.push(`${view.id} has ${view.inFlight} in flight`);
  const busy = (): boolean =>
    engines.some((engine) => engine.stats().running + engine.stats().waiting > 0);
  await until(() => !busy(), "no engine works for nobody").catch((error: unknown) => {
    broken.push(String(error));
  });
  return broken;
}
