import type { Clock } from "../../engines/clock.ts";
import type { EngineStats, Recognition } from "../../engines/engine.ts";
import { fillStats, NO_STATS } from "../../engines/engine-stats.ts";
import { MODELS_PATH } from "../../engines/recognition.ts";
import { engines } from "../../engines/index.ts";
import { type Connection, type ConnectionOptions, openConnection } from "../upstream/connection.ts";
import { probeGet } from "../upstream/probe.ts";
import { recognise } from "../upstream/recognise.ts";
import { adviceOn } from "./advice.ts";
import {
  type ConnectionFacts,
  type Examination,
  type Limits,
  type MetricsFacts,
  NO_LIMITS,
  type TokenFacts,
} from "./examination.ts";
import { answerProblem, unreachableProblem } from "./problem.ts";
import {
  getHead,
  type IdleFacts,
  openRaw,
  type RawConnection,
  watchIdle,
} from "./raw-connection.ts";
import { type RoundTrips, roundTrips } from "./round-trips.ts";
import { askTwice } from "./small-request.ts";

/** No examination takes longer: what has not been found out by then is left open. */
export const EXAMINATION_LIMIT_MS = 18_000;
/** Longer than Pitot itself keeps an idle connection, and no longer than a person waits gladly. */
export const IDLE_WATCH_MS = 4_000;

export interface ExamineOptions extends ConnectionOptions {
  readonly clock: Clock;
  /** Which model to ask; its first unless given. */
  readonly model?: string;
  /** How long an idle connection is watched; {@link IDLE_WATCH_MS} unless given. */
  readonly idleWatchMs?: number;
  /** Sends no request that makes the engine work. */
  readonly quiet?: boolean;
  readonly signal?: AbortSignal;
}

/** What is known while an examination goes on. */
type Findings = Omit<Examination, "advice">;

/** An examination whose measuring is over; what is left is waiting. */
export interface Begun {
  readonly rest: Promise<Examination>;
}

/** Finds out about one origin what it will tell. Never rejects. */
export async function examine(url: string, options: ExamineOptions): Promise<Examination> {
  return (await beginExamination(url, options)).rest;
}

/**
 * The part of an examination that measures: at most 5 GETs to recognise it, a dozen cheap ones, two small requests.
 * Resolves when they are done, so that several origins are measured one after the other and waited for together.
 */
export async function beginExamination(url: string, options: ExamineOptions): Promise<Begun> {
  const limit = AbortSignal.timeout(EXAMINATION_LIMIT_MS);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  const within = { clock: options.clock, signal };
  let raw: RawConnection;
  try {
    // The first one of a process pays for code that was never run before.
    const first = await openRaw(url, options, within);
    first.socket.destroy();
    raw = await openRaw(url, options, within);
  } catch (error) {
    return { rest: Promise.resolve(unreachable(url, await unreachableProblem(url, error))) };
  }
  const connection = openConnection(url, options);
  const head = getHead(url, MODELS_PATH, connection.headers);
  const watchMs = options.idleWatchMs ?? IDLE_WATCH_MS;
  // The silence is watched while everything else goes on.
  const idle = watchIdle(raw, { head, watchMs }, within);
  try {
    const found = await look(url, { connection, options, signal, raw });
    return { rest: idle.then((facts) => complete(found, facts)) };
  } finally {
    await connection.pool.destroy();
  }
}

function complete(found: Findings, idle: IdleFacts): Examination {
  const { connection } = found;
  const whole = { ...found, connection: connection === null ? null : { ...connection, ...idle } };
  return { ...whole, advice: adviceOn(whole) };
}

interface Look {
  readonly connection: Connection;
  readonly options: ExamineOptions;
  readonly signal: AbortSignal;
  readonly raw: RawConnection;
}

async function look(url: string, look: Look): Promise<Findings> {
  const { connection, options, signal, raw } = look;
  const { recognition, models } = await recognise(connection, signal);
  if (models.status === 0) {
    const error = Object.assign(new Error(models.body), { code: "" });
    return { ...unreachable(url, await unreachableProblem(url, error)), tls: raw.tls };
  }
  const named = options.model === undefined ? recognition : withModel(recognition, options.model);
  const hasKey = connection.headers.length > 0;
  const problem = answerProblem(url, named, { models, hasKey });
  const { direct, engine } = recognition;
  const path = direct ? engines[engine].paths.health : MODELS_PATH;
  const trips = await roundTrips(connection, path, { clock: options.clock, signal });
  const { stats, metrics, tokens, fault } = problem === null ? await measure(look, named) : NOTHING;
  const isKnown = problem === null || engine !== "openai";
  return {
    url,
    state: problem === null && fault === null ? "ok" : "failed",
    problem: problem ?? (fault === null ? null : `${url}: ${fault}.`),
    engine: isKnown ? engine : null,
    version: recognition.version ?? stats.version,
    because: recognition.because,
    models: recognition.models.map((model) => model.id),
    limits: limitsOf(recognition, stats),
    tokens,
    metrics,
    clock: trips.clock,
    connection: connectionFacts(raw, trips),
    tls: raw.tls,
  };
}

/** What only a server that can be measured tells. */
interface Measured {
  readonly stats: EngineStats;
  readonly metrics: MetricsFacts | null;
  readonly tokens: TokenFacts | null;
  readonly fault: string | null;
}

const ASLEEP = "it sleeps and works on nothing: wake it with POST /wake_up";
const NOTHING: Measured = { stats: NO_STATS, metrics: null, tokens: null, fault: null };

async function measure(look: Look, recognition: Recognition): Promise<Measured> {
  const { stats, metrics } = await readStatistics(look, recognition);
  // A sleeping vLLM answers its health route, and takes a request that it never works on.
  if (stats.asleep === true) return { stats, metrics, tokens: null, fault: ASLEEP };
  const answer = await tokensOf(look, recognition);
  return typeof answer === "string"
    ? { stats, metrics, tokens: null, fault: answer }
    : { stats, metrics, tokens: answer, fault: null };
}

function limitsOf({ models }: Recognition, stats: EngineStats): Limits {
  const lengths = models.map((model) => model.maxModelLen).filter((length) => length !== null);
  return {
    sequenceTokensMax: lengths.length > 0 ? Math.max(...lengths) : stats.maxModelLen,
    sequencesMax: stats.maxSequences,
    kvCacheTokens: stats.kvCapacityTokens,
  };
}

/** Reads every page of statistics the engine may have; the last of its list is the one with a switch. */
async function readStatistics(
  { connection, signal }: Look,
  { engine, direct }: Recognition,
): Promise<Pick<Measured, "stats" | "metrics">> {
  const source = engines[engine].stats;
  let stats = NO_STATS;
  let metrics: MetricsFacts | null = null;
  for (const path of direct ? source.paths : []) {
    const { status, body } = await probeGet(connection, path, signal);
    const page = status === 200 ? source.read(path, body) : null;
    if (page !== null) stats = fillStats(stats, page);
    if (path.endsWith("/metrics"))
      metrics = { path, status: status === 0 ? null : status, isReadable: page !== null };
  }
  return { stats, metrics };
}

function tokensOf(
  { connection, options, signal }: Look,
  { engine, models }: Recognition,
): Promise<TokenFacts | string | null> {
  const model = options.model ?? models[0]?.id;
  if (options.quiet === true || model === undefined) return Promise.resolve(null);
  return askTwice({ connection, engine: engines[engine], model, clock: options.clock, signal });
}

function withModel(recognition: Recognition, id: string): Recognition {
  return { ...recognition, models: [...recognition.models, { id, maxModelLen: null }] };
}

/** Before the silence has been watched. */
function connectionFacts(raw: RawConnection, trips: RoundTrips): ConnectionFacts {
  const { ttfbP50Ms, samples, isReused, advertisedIdleMs } = trips;
  const seen = { connectMs: raw.connectMs, ttfbP50Ms, samples, isReused, advertisedIdleMs };
  return { ...seen, closedAfterMs: null, watchedMs: 0 };
}

function unreachable(url: string, problem: string): Examination {
  return {
    url,
    state: "unreachable",
    problem,
    engine: null,
    version: null,
    because: null,
    models: [],
    limits: NO_LIMITS,
    tokens: null,
    metrics: null,
    clock: null,
    connection: null,
    tls: null,
    advice: [],
  };
}
