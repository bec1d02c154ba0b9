import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { Fleet } from "../upstream/fleet.ts";
import type { Fact } from "./fact.ts";
import { type MetricName, type MetricRow, metricTable } from "./metric-table.ts";

type Metric = Counter | Gauge | Histogram;

/** The stream of exchanges as Prometheus families. */
export class Prometheus {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, Metric>();
  readonly #fleet: Fleet;
  readonly #clock: Clock;

  constructor(fleet: Fleet, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
    for (const [name, row] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
      this.#metrics.set(name, this.#build(name, row));
    }
  }

  take(fact: Fact): void {
    const { exchange } = fact;
    const who = {
      model: fact.model === "" ? "other" : fact.model,
      replica: exchange.replica ?? "none",
      origin: exchange.origin,
    };
    const { tokens, outcome } = exchange;
    this.#count("pitot_requests_total", { ...who, outcome: outcome.kind });
    const counted = { ...who, counted_by: tokens.countedBy };
    if (tokens.input !== null) this.#count("pitot_input_tokens_total", counted, tokens.input);
    if (tokens.output !== null) this.#count("pitot_output_tokens_total", counted, tokens.output);
    if (tokens.cachedInput !== null)
      this.#count("pitot_cached_input_tokens_total", counted, tokens.cachedInput);
    this.#observe("pitot_time_to_first_token_seconds", who, fact.ttftMs);
    this.#observe("pitot_time_per_output_token_seconds", who, fact.tpotMs);
    this.#observe("pitot_request_duration_seconds", who, fact.e2eMs);
    this.#observe("pitot_proxy_overhead_seconds", {}, fact.overheadMs);
    this.#gaps(exchange, who);
    for (const { replica, result } of exchange.attempts)
      this.#count("pitot_attempts_total", { replica, result });
    if (exchange.decision !== null) {
      const { policy, reason } = exchange.decision;
      this.#count("pitot_route_decisions_total", { policy, reason });
    }
    if (outcome.kind === "cancelled" && tokens.output !== null)
      this.#count("pitot_wasted_tokens_total", { cause: "client_left" }, tokens.output);
  }

  /** The page, gauges as of now. */
  text(): Promise<string> {
    const nowMs = this.#clock.nowMs();
    for (const name of [
      "pitot_requests_in_flight",
      "pitot_replica_available",
      "pitot_replica_breaker_open",
      "pitot_engine_running",
      "pitot_engine_waiting",
      "pitot_engine_kv_cache_usage_ratio",
      "pitot_engine_stats_age_seconds",
    ] as const) {
      (this.#metrics.get(name) as Gauge).reset();
    }
    for (const view of this.#fleet.views()) {
      const label = { replica: view.id };
      this.#gauge("pitot_requests_in_flight", label, view.inFlight);
      this.#gauge("pitot_replica_available", label, view.state === "up" ? 1 : 0);
      this.#gauge("pitot_replica_breaker_open", label, view.breakerOpen ? 1 : 0);
      this.#gauge("pitot_engine_running", label, view.stats?.running ?? null);
      this.#gauge("pitot_engine_waiting", label, view.stats?.waiting ?? null);
      this.#gauge(
        "pitot_engine_kv_cache_usage_ratio",
        label,
        view.stats?.kvCacheUsageRatio ?? null,
      );
      this.#gauge(
        "pitot_engine_stats_age_seconds",
        label,
        view.statsAtMs === null ? null : (nowMs - view.statsAtMs) / 1000,
      );
    }
    this.#gauge("pitot_requests_queued", { priority: "0" }, 0);
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Gaps between events spread over the tokens they carried, so that a frame of four tokens is not one slow token. */
  #gaps(exchange: Exchange, who: Record<string, string>): void {
    const offsets = exchange.outputOffsetsMs;
    const tokens = exchange.tokens.output ?? exchange.outputEvents;
    if (offsets.length < 2 || tokens === 0) return;
    const perEvent = Math.max(1, tokens / exchange.outputEvents);
    let longestMs = 0;
    for (let index = 1; index < offsets.length; index++) {
      const gapMs = (offsets[index] ?? 0) - (offsets[index - 1] ?? 0);
      longestMs = Math.max(longestMs, gapMs);
      this.#observe("pitot_inter_token_latency_seconds", who, gapMs / perEvent);
    }
    this.#observe("pitot_stall_seconds", who, longestMs);
  }

  #build(name: MetricName, { type, labels, help, buckets }: MetricRow): Metric {
    const shared = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (type === "counter") return new Counter(shared);
    if (type === "gauge") return new Gauge(shared);
    return new Histogram({ ...shared, buckets: [...(buckets ?? [])] });
  }

  #count(name: MetricName, labels: Record<string, string>, by = 1): void {
    (this.#metrics.get(name) as Counter).inc(labels, by);
  }

  #observe(name: MetricName, labels: Record<string, string>, valueMs: number | null): void {
    if (valueMs !== null)
      (this.#metrics.get(name) as Histogram).observe(labels, Math.max(0, valueMs) / 1000);
  }

  #gauge(name: MetricName, labels: Record<string, string>, value: number | null): void {
    if (value !== null) (this.#metrics.get(name) as Gauge).set(labels, value);
  }
}
