import type { EngineStats } from "../../engines/engine.ts";
import { exponential, integer, type Random, seededRandom } from "../../engines/random.ts";
import {
  ENDED_ROWS_MAX,
  type EndedRow,
  type Frame,
  FRAME_VERSION,
  type InFlightRow,
  type SnapshotFrame,
  type Tick,
  type TrafficCell,
} from "../../proxy/live/frames.ts";
import { RECORDING_VERSION } from "../../proxy/live/recording.ts";
import { GAMMA } from "../../proxy/telemetry/sketch.ts";
import type { SloView } from "../../proxy/telemetry/slo/slo-view.ts";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";

/** A whole second, so that nothing depends on when a test runs. */
const STARTED_MS = 1_772_000_000_000;

export interface RecordingPlan {
  readonly replicas: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly release?: string;
}

/** A recording of a fleet that never was: the shape and the volume of real frames, the same for every run. */
export function syntheticRecording(plan: RecordingPlan): string {
  const header = {
    format: "pitot-recording",
    version: RECORDING_VERSION,
    frameVersion: FRAME_VERSION,
    release: plan.release ?? "0.0.0",
    startedMs: STARTED_MS,
  };
  return `${[header, ...syntheticFrames(plan)].map((line) => JSON.stringify(line)).join("\n")}\n`;
}

/** A snapshot, then a tick a second, made as they are taken: an endless plan holds no more than a short one. */
export function* syntheticFrames(plan: RecordingPlan): Generator<Frame, void> {
  const random = seededRandom(7);
  const ids = Array.from({ length: plan.replicas }, (_, at) => `vllm-${at}`);
  yield snapshot(ids, plan.release ?? "0.0.0");
  for (let at = 0; at < plan.seconds; at++) {
    const nowMs = STARTED_MS + (at + 1) * 1_000;
    yield {
      kind: "tick",
      sequence: at + 1,
      nowMs,
      tick: tickOf(random, { ids, atMs: nowMs - 1_000, rate: plan.requestsPerSecond }),
      missed: [],
      replicas: ids.map((id) => ({
        id,
        inFlight: integer(random, 12),
        stats: statsOf(random),
        statsAtMs: nowMs - 300,
      })),
      removed: [],
      inFlight: Array.from({ length: 25 }, (_, row) => underWay(random, `${at}-${row}`, ids)),
      inFlightTotal: 25 + integer(random, 60),
      ended: syntheticRows(random, { ids, nowMs, count: ENDED_ROWS_MAX }),
      events: [],
    };
  }
}

/** Requests that ended by `nowMs`, newest first. */
export function syntheticRows(
  random: Random,
  { ids, nowMs, count }: { ids: readonly string[]; nowMs: number; count: number },
): readonly EndedRow[] {
  const second = (nowMs - STARTED_MS) / 1_000;
  return Array.from({ length: count }, (_, row) =>
    ended(random, `${second}-${row}`, { ids, nowMs }),
  );
}

function snapshot(ids: readonly string[], release: string): SnapshotFrame {
  return {
    kind: "snapshot",
    version: FRAME_VERSION,
    release,
    bootId: "recorded",
    startedMs: STARTED_MS,
    nowMs: STARTED_MS,
    sequence: 0,
    tickMs: 1_000,
    gamma: GAMMA,
    dataUrl: "http://127.0.0.1:8080",
    mayWrite: true,
    goodput: { ttftMs: 1_000, tpotMs: 100 },
    replicas: ids.map(viewOf),
    history: [],
    inFlight: [],
    inFlightTotal: 0,
    ended: [],
    events: ids.slice(0, 20).map((id) => ({
      atMs: STARTED_MS - 1_000,
      kind: "replica-up",
      subject: id,
      message: "answers",
    })),
    slos: [promise("answered", "page"), promise("chat", "ok")],
  };
}

function promise(name: string, state: SloView["state"]): SloView {
  const windowMs = 28 * 86_400_000;
  const good = state === "ok" ? 9_990 : 9_000;
  return {
    name,
    sentence: `99 % of requests: ${name} over 28 days`,
    options: { name, objective: 0.99, windowMs },
    good,
    valid: 10_000,
    attainment: good / 10_000,
    budgetRemaining: state === "ok" ? 0.9 : -9,
    burn: [300_000, 1_800_000, 3_600_000].map((windowMs) => ({ windowMs, rate: 0.1, valid: 900 })),
    exhaustedInMs: state === "ok" ? null : 0,
    state,
    alerts: [],
    excluded: { cancelled: 3, rejected: 0, "not-applicable": 0 },
    budgetHistory: [1, 0.95, 0.9],
    judgedMs: STARTED_MS,
  };
}

function viewOf(id: string): ReplicaView {
  return {
    id,
    url: `http://${id}:8000`,
    engine: "vllm",
    version: "0.19.0",
    models: ["meta-llama/Llama-3.1-8B-Instruct"],
    state: "up",
    because: "answers",
    sinceMs: STARTED_MS - 1_000,
    weight: 1,
    inFlight: 0,
    breakerOpen: false,
    stats: null,
    statsAtMs: null,
    lastProbe: null,
  };
}

function statsOf(random: Random): EngineStats {
  return {
    running: integer(random, 12),
    waiting: integer(random, 3),
    kvCacheUsageRatio: 0.3 + random.next() / 3,
    prefixQueryTokens: 1_000,
    prefixHitTokens: integer(random, 1_000),
    preemptions: 0,
    promptTokens: null,
    generationTokens: null,
    maxSequences: 256,
    kvCapacityTokens: 400_000,
    waitingTokens: null,
    version: "0.19.0",
    maxModelLen: 32_768,
    asleep: null,
    snapshotAtMs: null,
  };
}

function tickOf(
  random: Random,
  { ids, atMs, rate }: { ids: readonly string[]; atMs: number; rate: number },
): Tick {
  const cells = ids.map((id) => [id, { real: cellOf(random, rate / ids.length) }] as const);
  return {
    atMs,
    real: cellOf(random, rate),
    synthetic: cellOf(random, 0),
    byReplica: Object.fromEntries(cells),
  };
}

function cellOf(random: Random, requests: number): TrafficCell {
  const count = Math.floor(requests + random.next());
  return {
    started: count,
    ended: count === 0 ? {} : { completed: count },
    inputTokens: count * 900,
    outputTokens: count * 180,
    inFlight: count,
    ttft: binsOf(random, count, 80),
    tpot: binsOf(random, count, 12),
    ...(count === 0 ? {} : { goodput: { good: count, slowTtft: 0, slowTpot: 0, slowBoth: 0 } }),
  };
}

function binsOf(random: Random, count: number, meanMs: number): readonly number[] {
  const bins = new Map<number, number>();
  for (let value = 0; value < count; value++) {
    const bin = Math.ceil(Math.log(meanMs / 3 + exponential(random, meanMs)) / Math.log(GAMMA));
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return [...bins].sort((a, b) => a[0] - b[0]).flat();
}

function ended(
  random: Random,
  id: string,
  { ids, nowMs }: { ids: readonly string[]; nowMs: number },
): EndedRow {
  return {
    id: `00000000-0000-4000-8000-${id.padStart(12, "0")}`,
    origin: "real",
    model: "meta-llama/Llama-3.1-8B-Instruct",
    replica: ids[integer(random, ids.length)] ?? null,
    client: null,
    startedMs: nowMs - 2_000,
    outcome: "completed",
    detail: "stop",
    status: 200,
    inputTokens: integer(random, 2_000),
    cachedInputTokens: 0,
    outputTokens: integer(random, 400),
    countedBy: "usage",
    ttftMs: 20 + integer(random, 200),
    tpotMs: 8 + integer(random, 8),
    e2eMs: 1_500,
    attempts: 1,
    traceId: null,
  };
}

function underWay(random: Random, id: string, ids: readonly string[]): InFlightRow {
  return {
    id,
    origin: "real",
    model: "meta-llama/Llama-3.1-8B-Instruct",
    replica: ids[integer(random, ids.length)] ?? null,
    client: null,
    phase: "decode",
    ageMs: integer(random, 9_000),
    outputEvents: integer(random, 400),
    eventsPerSecond: 60,
    ttftMs: 40,
    attempts: 1,
  };
}
