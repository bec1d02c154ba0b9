import type { TraceContext } from "./trace-context.ts";

/**
 * The one record. Every request, real or synthetic, ends as exactly one {@link Exchange}; metrics,
 * SLOs, traces, the request list, the board, sweeps and the almanac are readers of that stream.
 *
 * All times are {@link Clock.nowMs} readings (ms, monotonic, epoch-anchored); `null` means "did not happen".
 */
export interface Exchange {
  /** Unique within this process's life; the `x-request-id` the client sees when nobody gave one. */
  readonly id: string;
  readonly origin: Origin;
  readonly route: InferenceRoute;
  /** The model as asked for. Bound label sets fold unknown names into `other`; this field does not. */
  readonly model: string;
  readonly streamed: boolean;
  /** Replica that gave the answer (or the last one tried); `null` when none was reached. */
  readonly replica: string | null;
  /** Dialect spoken by that replica. */
  readonly engine: string | null;
  readonly times: ExchangeTimes;
  readonly tokens: ExchangeTokens;
  /**
   * Tokens an engine was spared because the client left: what the answer was going to have (its bound, or the length
   * usual for the model) less what had been generated. An estimate; `null` unless cancelled.
   */
  readonly savedTokens: number | null;
  readonly outcome: Outcome;
  /** Status the client got, or would have got; `null` when nothing was answered. */
  readonly status: number | null;
  readonly attempts: readonly AttemptRecord[];
  /** Why this replica: policy name, closed reason label, and the sentence shown to people. */
  readonly decision: RouteDecision | null;
  /**
   * Offsets (ms) from `times.startedMs` of each event that carried output, the first
   * {@link OUTPUT_EVENTS_MAX} of them. Gaps between them are inter-chunk latencies.
   */
  readonly outputOffsetsMs: Float32Array;
  /** Events that carried output, all of them. An event is not a token. */
  readonly outputEvents: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Sweep run and point that sent it (`run/point`), or `null` for real traffic. */
  readonly label: string | null;
  /** Opaque name of the client's key (never the key), or `null`. */
  readonly client: string | null;
  /** Session or conversation hash used for affinity, or `null`. */
  readonly session: string | null;
  /** The trace it belongs to; `null` or absent when nobody traces. */
  readonly trace?: TraceContext | null;
}

/** Who asked: a user, the sweep, or Pitot's own health check. Never mixed in one figure. */
export type Origin = "real" | "synthetic" | "probe";

export type InferenceRoute =
  | "chat"
  | "completions"
  | "responses"
  | "messages"
  | "embeddings"
  | "rerank"
  | "tokenize"
  | "other";

/** The life of a request in order. Latency always counts from `startedMs`. */
export interface ExchangeTimes {
  /** Real: request line received. Synthetic: the *planned* send, so that a late generator cannot hide a slow engine. */
  readonly startedMs: number;
  /** The whole request body is in the proxy's hands; `null` for synthetic requests sent directly. */
  readonly receivedMs: number | null;
  /** Left the proxy's queue, a replica was chosen (last attempt). Synthetic: actually sent. */
  readonly routedMs: number | null;
  /** Socket to the replica in hand (last attempt). */
  readonly connectedMs: number | null;
  /** Response headers of the replica received. */
  readonly headersMs: number | null;
  /** First body byte from the replica. */
  readonly firstByteMs: number | null;
  /** First event with non-empty output: content, reasoning, refusal or tool call. Never the role chunk. */
  readonly firstTokenMs: number | null;
  /** First event with output that is no reasoning: where the answer itself begins. */
  readonly firstAnswerMs: number | null;
  /** Last event with non-empty output. */
  readonly lastTokenMs: number | null;
  readonly endedMs: number;
}

/**
 * How a token count was obtained, best first: the engine's usage, the ids or log probabilities it listed, llama.cpp's
 * timings, a tokenizer, or the events counted (at least one token each). `none`: nothing to count from.
 */
export type CountedBy =
  | "usage"
  | "token-ids"
  | "timings"
  | "logprobs"
  | "tokenizer"
  | "events"
  | "none";

export interface ExchangeTokens {
  readonly input: number | null;
  readonly output: number | null;
  /** Part of `input` served from the engine's prefix cache; `null` when the engine does not say. */
  readonly cachedInput: number | null;
  /** Part of `output` spent on reasoning; `null` when the engine does not say. */
  readonly reasoning: number | null;
  readonly countedBy: CountedBy;
}

/** Where a request stood when something happened to it. */
export type Phase = "queued" | "connecting" | "waiting" | "prefill" | "decode";

/**
 * How it ended. Switch exhaustively.
 * - `completed`: the whole answer reached the client.
 * - `rejected`: refused before any work, by us or by the engine's 4xx. Not the fleet's failure.
 * - `failed`: no output reached the client and it is our or the engine's fault.
 * - `cut`: output began, then broke off.
 * - `cancelled`: the client went away.
 */
export type Outcome =
  | { readonly kind: "completed"; readonly finishReason: string | null }
  | { readonly kind: "rejected"; readonly code: string }
  | { readonly kind: "failed"; readonly code: string }
  | { readonly kind: "cut"; readonly code: string }
  | { readonly kind: "cancelled"; readonly phase: Phase };

export type OutcomeKind = Outcome["kind"];

/** One try at one replica. */
export interface AttemptRecord {
  readonly replica: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number | null;
  /** `answered`, or the error code that ended it. */
  readonly result: string;
  /** Its span in the trace, when we make spans. */
  readonly spanId?: string;
}

export interface RouteDecision {
  readonly policy: string;
  /** Closed label, used in metrics. */
  readonly reason: string;
  /** The same for people: "least in flight (2 of 4, 3 requests)". */
  readonly sentence: string;
}

/** A request still under way, as the board shows it. */
export interface InFlightView {
  readonly id: string;
  readonly origin: Origin;
  readonly route: InferenceRoute;
  readonly model: string;
  readonly streamed: boolean;
  readonly replica: string | null;
  readonly phase: Phase;
  readonly startedMs: number;
  readonly firstTokenMs: number | null;
  readonly lastTokenMs: number | null;
  readonly outputEvents: number;
  readonly attempts: number;
}

/** Beyond this many output events gaps are counted but their offsets are not kept: 16 KiB a request at most. */
export const OUTPUT_EVENTS_MAX = 4096;

/** Told of every ended exchange. Synchronous, total, O(1), never blocks: flush on your own timer. */
export interface ExchangeListener {
  ended(exchange: Exchange): void;
}

/** Time to first token in ms, from the (planned) start; `null` without a token. */
export function ttftMs(exchange: Exchange): number | null {
  const { startedMs, firstTokenMs } = exchange.times;
  return firstTokenMs === null ? null : firstTokenMs - startedMs;
}

/** Time to first body byte in ms; `null` when none came. */
export function ttfbMs(exchange: Exchange): number | null {
  const { startedMs, firstByteMs } = exchange.times;
  return firstByteMs === null ? null : firstByteMs - startedMs;
}

/**
 * Time per output token in ms: (last − first token) / (n − 1). `null` unless the answer was streamed,
 * at least two tokens were counted, and they came in more than one event.
 */
export function tpotMs(exchange: Exchange): number | null {
  const { firstTokenMs, lastTokenMs } = exchange.times;
  const tokens = exchange.tokens.output;
  if (!exchange.streamed || firstTokenMs === null || lastTokenMs === null) return null;
  if (tokens === null || tokens < 2 || exchange.outputEvents < 2) return null;
  return (lastTokenMs - firstTokenMs) / (tokens - 1);
}

/** End to end in ms: to the last token where there is one, else to the end. */
export function e2eMs(exchange: Exchange): number {
  const { startedMs, lastTokenMs, endedMs } = exchange.times;
  return (lastTokenMs ?? endedMs) - startedMs;
}
