/** One family on `/metrics`; the reference, the boards and the rules follow from this table. */
export interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** Borders in seconds, for histograms. */
  readonly buckets?: readonly number[];
}

/** Contain every usual objective, so that attainment is read off a border and not guessed. */
const FIRST_TOKEN_BUCKETS = [
  0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 10, 30, 60,
];
/** From a speculating small model to an unusable one. */
const TOKEN_BUCKETS = [
  0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2,
  0.5, 1, 2.5,
];
const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600];
const OVERHEAD_BUCKETS = [
  0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
];

const WHO = ["model", "replica", "origin"] as const;

export const metricTable = {
  pitot_requests_total: row("counter", [...WHO, "outcome"], "Requests ended, by how they ended."),
  pitot_time_to_first_token_seconds: row(
    "histogram",
    WHO,
    "From the request's start to its first non-empty output.",
    FIRST_TOKEN_BUCKETS,
  ),
  pitot_time_per_output_token_seconds: row(
    "histogram",
    WHO,
    "(last − first token) / (n − 1) of streamed answers.",
    TOKEN_BUCKETS,
  ),
  pitot_request_duration_seconds: row(
    "histogram",
    WHO,
    "From the request's start to its last token.",
    DURATION_BUCKETS,
  ),
  pitot_inter_token_latency_seconds: row(
    "histogram",
    WHO,
    "Gap between output events per token, weighted by tokens.",
    TOKEN_BUCKETS,
  ),
  pitot_stall_seconds: row("histogram", WHO, "Longest gap inside an answer.", DURATION_BUCKETS),
  pitot_input_tokens_total: row(
    "counter",
    [...WHO, "counted_by"],
    "Prompt tokens, cached ones included.",
  ),
  pitot_output_tokens_total: row("counter", [...WHO, "counted_by"], "Tokens generated."),
  pitot_cached_input_tokens_total: row(
    "counter",
    [...WHO, "counted_by"],
    "Prompt tokens served from the engine's prefix cache.",
  ),
  pitot_requests_in_flight: row("gauge", ["replica"], "Requests of ours a replica is working on."),
  pitot_requests_queued: row("gauge", ["priority"], "Requests waiting in the proxy."),
  pitot_proxy_overhead_seconds: row(
    "histogram",
    [],
    "Time in the proxy between the whole request read and its replica chosen.",
    OVERHEAD_BUCKETS,
  ),
  pitot_attempts_total: row(
    "counter",
    ["replica", "result"],
    "Tries at a replica, by how they came out.",
  ),
  pitot_route_decisions_total: row(
    "counter",
    ["policy", "reason"],
    "Replica choices, by what decided them.",
  ),
  pitot_replica_available: row("gauge", ["replica"], "1 while the replica takes new requests."),
  pitot_replica_breaker_open: row(
    "gauge",
    ["replica"],
    "1 while the replica is held out for failing.",
  ),
  pitot_engine_running: row("gauge", ["replica"], "Requests in the engine's batch, as it says."),
  pitot_engine_waiting: row("gauge", ["replica"], "Requests in the engine's queue, as it says."),
  pitot_engine_kv_cache_usage_ratio: row(
    "gauge",
    ["replica"],
    "Share of the engine's KV cache in use, as it says.",
  ),
  pitot_engine_stats_age_seconds: row(
    "gauge",
    ["replica"],
    "Age of what the engine last said of itself.",
  ),
  pitot_wasted_tokens_total: row("counter", ["cause"], "Tokens generated for nobody."),
} satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricTable;

function row(
  type: MetricRow["type"],
  labels: readonly string[],
  help: string,
  buckets?: readonly number[],
): MetricRow {
  return { type, labels, help, ...(buckets === undefined ? {} : { buckets }) };
}
