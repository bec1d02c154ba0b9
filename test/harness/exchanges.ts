import { engines } from "../../engines/index.ts";
import type { Exchange, InferenceRoute, Origin, Outcome } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { VirtualClock } from "../../engines/virtual-clock.ts";
import type { Feed } from "../../proxy/telemetry/feed.ts";
import type { Fleet, ReplicaView } from "../../proxy/upstream/fleet.ts";

export const TOKEN = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
export const DONE = Buffer.from(
  'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\ndata: [DONE]\n\n',
);

let nextId = 0;

/** Begins a streamed chat request at replica r0 and tells the feed. */
export function begin(
  clock: VirtualClock,
  feed: Feed,
  { origin = "real", model = "m", client = null, replica = "r0" }: Partial<ExchangeWish> = {},
): ExchangeTimer {
  const timer = new ExchangeTimer(
    {
      id: `x${nextId++}`,
      origin,
      route: "chat",
      model,
      streamed: true,
      startedMs: clock.nowMs(),
      bytesIn: 0,
      client,
    },
    clock,
  );
  feed.began(timer);
  timer.received();
  timer.routed(replica, engines.vllm, {
    policy: "least-in-flight",
    reason: "least_in_flight",
    sentence: "…",
  });
  timer.headers(200, "text/event-stream");
  return timer;
}

export interface ExchangeWish {
  readonly id: string;
  readonly origin: Origin;
  readonly route: InferenceRoute;
  readonly model: string;
  readonly client: string | null;
  readonly replica: string;
  readonly endedMs: number;
  readonly ttftMs: number;
  /** Gaps between the output events after the first, in ms. */
  readonly gapsMs: readonly number[];
  readonly outputTokens: number;
  readonly outcome: Outcome;
}

const USUAL: Omit<ExchangeWish, "id" | "outputTokens"> = {
  origin: "real",
  route: "chat",
  model: "m",
  client: null,
  replica: "r0",
  endedMs: 1_000,
  ttftMs: 100,
  gapsMs: [10, 10],
  outcome: { kind: "completed", finishReason: "stop" },
};

/** An ended exchange out of its figures, for readers of the stream that need many. */
export function exchangeOf(wish: Partial<ExchangeWish> = {}): Exchange {
  const { id, outputTokens, ttftMs, gapsMs, endedMs, replica, ...rest } = { ...USUAL, ...wish };
  const offsets = [ttftMs];
  for (const gap of gapsMs) offsets.push((offsets.at(-1) ?? 0) + gap);
  const startedMs = endedMs - (offsets.at(-1) ?? 0);
  const hasOutput = rest.outcome.kind === "completed" || rest.outcome.kind === "cut";
  const output = hasOutput ? offsets : [];
  return {
    ...rest,
    id: id ?? `e${nextId++}`,
    streamed: true,
    replica,
    engine: "vllm",
    times: {
      startedMs,
      receivedMs: startedMs + 1,
      routedMs: startedMs + 2,
      connectedMs: startedMs + 3,
      headersMs: startedMs + 4,
      firstByteMs: startedMs + 5,
      firstTokenMs: hasOutput ? startedMs + ttftMs : null,
      firstAnswerMs: hasOutput ? startedMs + ttftMs : null,
      lastTokenMs: hasOutput ? endedMs : null,
      endedMs,
    },
    tokens: {
      input: 100,
      output: hasOutput ? (outputTokens ?? offsets.length) : null,
      cachedInput: 40,
      reasoning: null,
      countedBy: "usage",
    },
    savedTokens: null,
    status: 200,
    attempts: [{ replica, startedMs: startedMs + 2, endedMs, status: 200, result: "answered" }],
    decision: { policy: "least-in-flight", reason: "least_in_flight", sentence: "…" },
    outputOffsetsMs: Float32Array.from(output),
    outputEvents: output.length,
    bytesIn: 10,
    bytesOut: 100,
    label: null,
    session: null,
    trace: null,
  };
}

export function replicaView(id: string, models: readonly string[]): ReplicaView {
  return {
    id,
    url: `http://${id}`,
    engine: "vllm",
    version: null,
    models,
    state: "up",
    because: "",
    sinceMs: 0,
    weight: 1,
    inFlight: 0,
    breakerOpen: false,
    stats: null,
    statsAtMs: null,
    lastProbe: null,
  };
}

/** A fleet that only stands there. */
export function fleetOf(models: readonly string[], ids: readonly string[] = ["r0"]): Fleet {
  const views = ids.map((id) => replicaView(id, models));
  return {
    views: () => views,
    add: () => replicaView("new", models),
    remove: () => {},
    drain: () => {},
    undrain: () => {},
    disable: () => {},
  };
}
