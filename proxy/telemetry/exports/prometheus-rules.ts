import { stringify } from "yaml";
import type { MetricName } from "../metric-table.ts";
import type { SloOptions } from "../options.ts";
import { windowText } from "../prometheus.ts";
import { BAD_MIN, rulesFor } from "../slo/burn-rate.ts";
import { Slo } from "../slo/slo.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const LATENCIES = {
  pitot_time_to_first_token_seconds: "pitot:time_to_first_token_seconds",
  pitot_time_per_output_token_seconds: "pitot:time_per_output_token_seconds",
  pitot_inter_token_latency_seconds: "pitot:inter_token_latency_seconds",
  pitot_request_duration_seconds: "pitot:request_duration_seconds",
} as const satisfies Partial<Record<MetricName, string>>;

/** The rules that hold for every fleet, and those of these promises: alerts must survive the proxy. */
export function prometheusRules(slos: readonly SloOptions[]): string {
  const groups = [
    { name: "pitot-recording", rules: recording() },
    { name: "pitot-fleet", rules: fleet() },
    ...(slos.length === 0 ? [] : [{ name: "pitot-slos", rules: slos.flatMap(burn) }]),
  ];
  return stringify({ groups }, { lineWidth: 0 });
}

/** Percentiles out of merged buckets by model and replica, real traffic only. */
function recording(): Rule[] {
  const percentiles = Object.entries(LATENCIES).flatMap(([metric, name]) =>
    [0.5, 0.95, 0.99].map((q) => ({
      record: `${name}:p${q * 100}_5m`,
      expr: `histogram_quantile(${q}, sum by (model, replica, le) (rate(${metric}_bucket{origin="real"}[5m])))`,
    })),
  );
  return [
    ...percentiles,
    {
      record: "pitot:error_ratio_5m",
      expr: 'sum by (model) (rate(pitot_requests_total{origin="real",outcome=~"failed|cut"}[5m])) / sum by (model) (rate(pitot_requests_total{origin="real",outcome=~"completed|failed|cut"}[5m]))',
    },
    {
      record: "pitot:output_tokens_per_second_5m",
      expr: "sum by (model, replica, origin) (rate(pitot_output_tokens_total[5m]))",
    },
  ];
}

function fleet(): Rule[] {
  const ticket = { severity: "ticket" };
  return [
    {
      alert: "PitotReplicaUnavailable",
      expr: "pitot_replica_available == 0",
      for: "2m",
      labels: ticket,
      annotations: { summary: "{{ $labels.replica }} has taken no requests for two minutes" },
    },
    {
      alert: "PitotNoReplicaAvailable",
      expr: "sum(pitot_replica_available) == 0",
      for: "30s",
      labels: { severity: "page" },
      annotations: { summary: "no replica takes requests" },
    },
    {
      alert: "PitotBreakerOpen",
      expr: "pitot_replica_breaker_open == 1",
      for: "5m",
      labels: ticket,
      annotations: {
        summary: "{{ $labels.replica }} has been held out for failing for five minutes",
      },
    },
    {
      alert: "PitotRequestsQueued",
      expr: "sum(pitot_requests_queued) > 0",
      for: "2m",
      labels: ticket,
      annotations: {
        summary: "requests have been waiting in the proxy for two minutes: the fleet is full",
      },
    },
    {
      alert: "PitotKvCacheFull",
      expr: "pitot_engine_kv_cache_usage_ratio > 0.95",
      for: "5m",
      labels: ticket,
      annotations: {
        summary:
          "the KV cache of {{ $labels.replica }} has been full for five minutes: it preempts or queues",
      },
    },
    {
      alert: "PitotEngineStatsStale",
      expr: "pitot_engine_stats_age_seconds > 60",
      for: "2m",
      labels: ticket,
      annotations: { summary: "{{ $labels.replica }} has not told of its load for a minute" },
    },
    {
      alert: "PitotTelemetryDropped",
      expr: "increase(pitot_telemetry_dropped_total[10m]) > 0",
      labels: ticket,
      annotations: { summary: "{{ $labels.sink }} could not take everything that was told" },
    },
  ];
}

/** The alerts Pitot itself judges, as expressions: both windows above the factor, and a few bad requests in number. */
function burn(options: SloOptions): Rule[] {
  const { name, objective, windowMs } = options;
  const selector = `{slo=${JSON.stringify(name)}}`;
  const over = (window: string, metric: MetricName): string =>
    `sum(increase(${metric}${selector}[${window}]))`;
  const rate = (window: string): string =>
    `(1 - ${over(window, "pitot_slo_good_total")} / ${over(window, "pitot_slo_valid_total")}) / ${Number((1 - objective).toPrecision(12))}`;
  return rulesFor(objective, windowMs).map(({ severity, longMs, shortMs, factor }) => {
    const [long, short] = [windowText(longMs), windowText(shortMs)];
    const above = Number(factor.toPrecision(6));
    const bad = `${over(long, "pitot_slo_valid_total")} - ${over(long, "pitot_slo_good_total")}`;
    return {
      alert: "PitotErrorBudgetBurn",
      expr: `${rate(long)} > ${above} and ${rate(short)} > ${above} and ${bad} >= ${BAD_MIN}`,
      labels: { severity, slo: name, long, short },
      annotations: {
        summary: `${new Slo(options).sentence}: the budget burns more than ${above} × too fast over ${long}`,
      },
    };
  });
}
