import type { MetricName } from "../metric-table.ts";

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface PanelWish {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly type?: "timeseries" | "heatmap" | "stat" | "state-timeline";
}

/** Only users' traffic, of the models and replicas chosen above the board. */
const REAL = 'origin="real",model=~"$model",replica=~"$replica"';
const COLUMNS = 24;
const PANEL_WIDTH = 8;
const PANEL_HEIGHT = 8;

const panels: readonly PanelWish[] = [
  {
    title: "Error budget left",
    description: "Share of each promise's error budget left in its period. Below 0: overspent.",
    unit: "percentunit",
    type: "stat",
    queries: [{ expr: "pitot_slo_error_budget_remaining_ratio", legend: "{{slo}}" }],
  },
  {
    title: "Burn rate, 1 h",
    description: "1 spends the budget in exactly the period.",
    unit: "none",
    queries: [{ expr: 'pitot_slo_burn_rate{window="1h"}', legend: "{{slo}}" }],
  },
  {
    title: "Replicas",
    description: "1 while a replica takes new requests.",
    unit: "none",
    type: "state-timeline",
    queries: [{ expr: 'pitot_replica_available{replica=~"$replica"}', legend: "{{replica}}" }],
  },
  {
    title: "Requests by outcome",
    description: "Ended a second, real traffic.",
    unit: "reqps",
    queries: [
      {
        expr: `sum by (outcome) (rate(pitot_requests_total{${REAL}}[$__rate_interval]))`,
        legend: "{{outcome}}",
      },
    ],
  },
  quantiles("Time to first token", "pitot_time_to_first_token_seconds"),
  heatmap("Time to first token, all of it", "pitot_time_to_first_token_seconds"),
  quantiles("Time per output token", "pitot_time_per_output_token_seconds"),
  quantiles("Inter-token latency", "pitot_inter_token_latency_seconds"),
  quantiles("Whole answer", "pitot_request_duration_seconds"),
  {
    title: "Output tokens",
    description: "A second, real and synthetic apart.",
    unit: "none",
    queries: [
      {
        expr: 'sum by (origin) (rate(pitot_output_tokens_total{model=~"$model",replica=~"$replica"}[$__rate_interval]))',
        legend: "{{origin}}",
      },
    ],
  },
  {
    title: "Prefix cache hits",
    description: "Cached share of prompt tokens.",
    unit: "percentunit",
    queries: [
      {
        expr: `sum by (replica) (rate(pitot_cached_input_tokens_total{${REAL}}[$__rate_interval])) / sum by (replica) (rate(pitot_input_tokens_total{${REAL}}[$__rate_interval]))`,
        legend: "{{replica}}",
      },
    ],
  },
  {
    title: "Broken promises",
    description: "Completed requests a second by the goodput target they missed.",
    unit: "reqps",
    queries: [
      {
        expr: `sum by (verdict) (rate(pitot_goodput_requests_total{${REAL}}[$__rate_interval]))`,
        legend: "{{verdict}}",
      },
    ],
  },
  {
    title: "In flight",
    description: "Requests of ours a replica is working on, and those waiting in the proxy.",
    unit: "none",
    queries: [
      { expr: 'pitot_requests_in_flight{replica=~"$replica"}', legend: "{{replica}}" },
      { expr: "sum(pitot_requests_queued)", legend: "queued" },
    ],
  },
  {
    title: "Engine queue",
    description: "Waiting in the engine, as it says.",
    unit: "none",
    queries: [{ expr: 'pitot_engine_waiting{replica=~"$replica"}', legend: "{{replica}}" }],
  },
  {
    title: "KV cache",
    description: "Share in use, as the engine says.",
    unit: "percentunit",
    queries: [
      { expr: 'pitot_engine_kv_cache_usage_ratio{replica=~"$replica"}', legend: "{{replica}}" },
    ],
  },
  {
    title: "Route decisions",
    description: "Replica choices a second, by what decided them.",
    unit: "ops",
    queries: [
      {
        expr: "sum by (policy, reason) (rate(pitot_route_decisions_total[$__rate_interval]))",
        legend: "{{policy}}: {{reason}}",
      },
    ],
  },
  {
    title: "Tries that failed",
    description: "A second, by replica and why.",
    unit: "ops",
    queries: [
      {
        expr: 'sum by (replica, result) (rate(pitot_attempts_total{result!="answered"}[$__rate_interval]))',
        legend: "{{replica}}: {{result}}",
      },
    ],
  },
  quantiles("Proxy overhead", "pitot_proxy_overhead_seconds", ""),
];

/** `docs/grafana/pitot.json`: import it, choose a Prometheus. */
export function grafanaBoard(): string {
  const board = {
    title: "Pitot",
    uid: "pitot",
    schemaVersion: 39,
    timezone: "browser",
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    graphTooltip: 1,
    tags: ["pitot", "llm"],
    templating: { list: [datasource(), variable("model"), variable("replica")] },
    annotations: { list: [] },
    panels: panels.map(panelOf),
  };
  return `${JSON.stringify(board, null, 2)}\n`;
}

function panelOf(wish: PanelWish, index: number): object {
  const perRow = COLUMNS / PANEL_WIDTH;
  const isHeatmap = wish.type === "heatmap";
  return {
    id: index + 1,
    type: wish.type ?? "timeseries",
    title: wish.title,
    description: wish.description,
    datasource: { type: "prometheus", uid: "${datasource}" },
    gridPos: {
      x: (index % perRow) * PANEL_WIDTH,
      y: Math.floor(index / perRow) * PANEL_HEIGHT,
      w: PANEL_WIDTH,
      h: PANEL_HEIGHT,
    },
    fieldConfig: { defaults: { unit: wish.unit }, overrides: [] },
    ...(isHeatmap ? { options: { calculate: false, yAxis: { unit: wish.unit } } } : {}),
    targets: wish.queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at),
      expr,
      legendFormat: legend,
      ...(isHeatmap ? { format: "heatmap" } : {}),
      exemplar: wish.type === undefined,
    })),
  };
}

function quantiles(title: string, metric: MetricName, selector: string = REAL): PanelWish {
  return {
    title,
    description: "Percentiles out of merged buckets, real traffic.",
    unit: "s",
    queries: [0.5, 0.95, 0.99].map((q) => ({
      expr: `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket{${selector}}[$__rate_interval])))`,
      legend: `p${q * 100}`,
    })),
  };
}

function heatmap(title: string, metric: MetricName): PanelWish {
  return {
    title,
    description: "One slow population, or two? Real traffic.",
    unit: "s",
    type: "heatmap",
    queries: [
      {
        expr: `sum by (le) (increase(${metric}_bucket{${REAL}}[$__rate_interval]))`,
        legend: "{{le}}",
      },
    ],
  };
}

function datasource(): object {
  return { name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" };
}

function variable(label: "model" | "replica"): object {
  return {
    name: label,
    label,
    type: "query",
    datasource: { type: "prometheus", uid: "${datasource}" },
    query: { query: `label_values(pitot_requests_total, ${label})`, refId: label },
    includeAll: true,
    allValue: ".*",
    multi: true,
    current: { text: "All", value: "$__all" },
    refresh: 2,
  };
}
