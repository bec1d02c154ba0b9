import type { InferenceRoute, Origin } from "../../engines/exchange.ts";

/** Latencies a promise can be made about. */
export type LatencyName = "ttft" | "ttfb" | "tpot" | "e2e" | "queue";

/** One promise: so large a share of these requests succeeds and meets each target, over this period. */
export interface SloOptions {
  readonly name: string;
  /** Share of valid requests that must be good: 0.95. */
  readonly objective: number;
  /** Which requests it speaks of; a field left out matches all. */
  readonly match?: SloMatch;
  /** Each target a request has to meet besides succeeding; none makes it a promise of availability. */
  readonly targets?: readonly LatencyTarget[];
  /** The period, a day to 30 days. */
  readonly windowMs: number;
}

export interface SloMatch {
  readonly model?: string;
  readonly route?: InferenceRoute;
  readonly replica?: string;
  /** Name of the client's key. */
  readonly client?: string;
  readonly streamed?: boolean;
  /** `real` unless said otherwise: sweeps and probes never spend a user's budget. */
  readonly origin?: Origin;
}

export interface LatencyTarget {
  readonly metric: LatencyName;
  /** The latency stays below this. */
  readonly belowMs: number;
}

/** What the goodput bar holds requests against. */
export interface GoodputOptions {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/** Where alerts are told. */
export interface WebhookOptions {
  readonly kind: "generic" | "slack" | "alertmanager";
  /** For Alertmanager its root: `/api/v2/alerts` is added. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** OpenTelemetry over OTLP/HTTP; loaded only when this is given. */
export interface OtlpOptions {
  /** Root of the collector, `http://collector:4318`: `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly traces?: boolean;
  readonly metrics?: boolean;
  /** Share of traces that begin here and are kept, 0 to 1; traces of clients follow the client's own flag. */
  readonly sampleRatio?: number;
  readonly metricsEveryMs?: number;
  /** `service.name`; `pitot` unless said otherwise. */
  readonly serviceName?: string;
  /** Which names GenAI metrics carry; see `otel/conventions.ts`. */
  readonly conventions?: "v1.41" | "genai";
}

/** One line per request. */
export interface RequestLogOptions {
  /** A file, or `-` for standard output. */
  readonly path: string;
  /** `json` lines, or the `access` log line of web servers with Pitot's figures behind it. */
  readonly format?: "json" | "access";
  /** A file of this size is rotated. */
  readonly fileBytesMax?: number;
  /** Files kept, the current one included. */
  readonly filesMax?: number;
}

/** How much history is kept in memory and on disk. */
export interface RetentionOptions {
  /** Ended requests kept whole. */
  readonly requests?: number;
  /** History of all windows in memory. */
  readonly historyBytesMax?: number;
  /** The database file. */
  readonly databaseBytesMax?: number;
}

/** Everything about measuring that a configuration may say. */
export interface TelemetryOptions {
  readonly slos?: readonly SloOptions[];
  readonly goodput?: GoodputOptions;
  readonly webhooks?: readonly WebhookOptions[];
  readonly otlp?: OtlpOptions;
  readonly log?: RequestLogOptions;
  readonly retention?: RetentionOptions;
  /** Ask a streaming engine for usage its client did not ask for, and take that one event out again. */
  readonly requestUsage?: boolean;
  /** Directory of what survives a restart; `null` or left out keeps nothing. */
  readonly dataDir?: string | null;
}

/**
 * A second to the first token is where a reader's attention starts to wander (Nielsen, response-time limits); ten tokens a
 * second outrun reading aloud several times over.
 */
export const GOODPUT_DEFAULT: GoodputOptions = { ttftMs: 1_000, tpotMs: 100 };
