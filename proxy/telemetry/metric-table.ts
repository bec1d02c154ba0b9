/** One family on `/metrics`; the reference, the board and the rules follow from this table. */
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
const QUEUE_BUCKETS = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

const WHO = ["model", "replica", "origin"] as const;
const COUNTED = [...WHO, "counted_by"] as const;

/** Names and labels are kept for good; the words may get better. */
export const metricTable = {
  pitot_build_info: gauge(["release"], "1; the label says which Pitot this is."),
  pitot_requests_total: counter([...WHO, "outcome"], "Requests ended, by how they ended."),
  pitot_goodput_requests_total: counter(
    [...WHO, "verdict"],
    "Completed requests by the goodput target they missed: none, ttft, tpot or both.",
  ),
  pitot_time_to_first_token_seconds: histogram(
    WHO,
    "From the request's start to its first non-empty output.",
    FIRST_TOKEN_BUCKETS,
  ),
  pitot_time_to_first_byte_seconds: histogram(
    WHO,
    "From the request's start to the first body byte.",
    FIRST_TOKEN_BUCKETS,
  ),
  pitot_time_per_output_token_seconds: histogram(
    WHO,
    "(last − first token) / (n − 1) of streamed answers.",
    TOKEN_BUCKETS,
  ),
  pitot_request_duration_seconds: histogram(
    WHO,
    "From the request's start to its last token, completed requests.",
    DURATION_BUCKETS,
  ),
  pitot_inter_token_latency_seconds: histogram(
    WHO,
    "Gap between output events per token, weighted by tokens.",
    TOKEN_BUCKETS,
  ),
  pitot_stall_seconds: histogram(WHO, "Longest gap inside an answer.", DURATION_BUCKETS),
  pitot_queue_seconds: histogram(
    [],
    "From the whole request read to its first try at a replica.",
    QUEUE_BUCKETS,
  ),
  pitot_proxy_overhead_seconds: histogram(
    [],
    "Time in the proxy between the whole request read and its replica chosen.",
    OVERHEAD_BUCKETS,
  ),
  pitot_input_tokens_total: counter(COUNTED, "Prompt tokens, cached ones included."),
  pitot_output_tokens_total: counter(COUNTED, "Tokens generated."),
  pitot_cached_input_tokens_total: counter(
    COUNTED,
    "Prompt tokens served from the engine's prefix cache.",
  ),
  pitot_reasoning_tokens_total: counter(COUNTED, "Tokens generated for reasoning."),
  pitot_wasted_tokens_total: counter(["cause"], "Tokens generated for nobody."),
  pitot_events_total: counter(
    ["kind"],
    "What happened to the fleet and to the proxy: replicas up and down, breakers, zombies, internal errors.",
  ),
  pitot_saved_tokens_total: counter(
    ["cause"],
    "Tokens the engine was spared because a client's leaving reached it; estimated.",
  ),
  pitot_requests_in_flight: gauge(["replica"], "Requests of ours a replica is working on."),
  pitot_requests_queued: gauge(["priority"], "Requests waiting in the proxy."),
  pitot_attempts_total: counter(["replica", "result"], "Tries at a replica, by how they came out."),
  pitot_route_decisions_total: counter(
    ["policy", "reason"],
    "Replica choices, by what decided them.",
  ),
  pitot_replica_available: gauge(["replica"], "1 while the replica takes new requests."),
  pitot_replica_breaker_open: gauge(["replica"], "1 while the replica is held out for failing."),
  pitot_engine_running: gauge(["replica"], "Requests in the engine's batch, as it says."),
  pitot_engine_waiting: gauge(["replica"], "Requests in the engine's queue, as it says."),
  pitot_engine_kv_cache_usage_ratio: gauge(
    ["replica"],
    "Share of the engine's KV cache in use, as it says.",
  ),
  pitot_engine_stats_age_seconds: gauge(["replica"], "Age of what the engine last said of itself."),
  pitot_slo_good_total: counter(["slo"], "Valid requests that kept the promise."),
  pitot_slo_valid_total: counter(["slo"], "Requests the promise is about."),
  pitot_slo_burn_rate: gauge(
    ["slo", "window"],
    "How fast the error budget burns: 1 spends it in exactly the period.",
  ),
  pitot_slo_error_budget_remaining_ratio: gauge(
    ["slo"],
    "Share of the error budget left in the period; below 0 when overspent.",
  ),
  pitot_telemetry_dropped_total: counter(
    ["sink"],
    "Log lines, spans, seconds of history or alerts that could not be delivered.",
  ),
  pitot_metrics_series: gauge(
    [],
    "Series on this page; label sets beyond 200 a family are folded.",
  ),
} satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricTable;

function counter(labels: readonly string[], help: string): MetricRow {
  return { type: "counter", labels, help };
}

function gauge(labels: readonly string[], help: string): MetricRow {
  return { type: "gauge", labels, help };
}

function histogram(labels: readonly string[], help: string, buckets: readonly number[]): MetricRow {
  return { type: "histogram", labels, help, buckets };
}
