import type { Clock } from "../../engines/clock.ts";
import type { Fleet, FleetEvent } from "../upstream/fleet.ts";
import { type Page, type PageForm, writePage } from "./exposition-page.ts";
import type { Fact } from "./fact.ts";
import { Families } from "./families.ts";
import type { Feed } from "./feed.ts";
import type { MetricName } from "./metric-table.ts";
import type { GoodputOptions, LatencyName, SloOptions } from "./options.ts";
import { RequestLines } from "./request-lines.ts";
import type { SloDesk } from "./slo/slo-desk.ts";

/** Gauges of the fleet: set anew for each page, so that a replica that is gone is gone from it. */
const FLEET_GAUGES = [
  "pitot_requests_in_flight",
  "pitot_replica_available",
  "pitot_replica_breaker_open",
  "pitot_engine_running",
  "pitot_engine_waiting",
  "pitot_engine_kv_cache_usage_ratio",
  "pitot_engine_stats_age_seconds",
] as const;

const HISTOGRAM_OF: Readonly<Record<LatencyName, MetricName>> = {
  ttft: "pitot_time_to_first_token_seconds",
  ttfb: "pitot_time_to_first_byte_seconds",
  tpot: "pitot_time_per_output_token_seconds",
  e2e: "pitot_request_duration_seconds",
  queue: "pitot_queue_seconds",
};

/** Combinations of model, replica and origin whose lines are remembered. */
const LINES_MAX = 1_024;

export interface PrometheusParts {
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly goodput: GoodputOptions;
  readonly slos: readonly SloOptions[];
}

/** The stream of exchanges as metric families, and the page of them. */
export class Prometheus {
  readonly families: Families;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #goodput: GoodputOptions;
  readonly #lines = new Map<string, RequestLines>();
  #last: RequestLines | null = null;

  constructor({ clock, fleet, goodput, slos }: PrometheusParts) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#goodput = goodput;
    this.families = new Families(thresholdsOf(goodput, slos));
  }

  take(fact: Fact): void {
    const { exchange } = fact;
    const { outcome, tokens } = exchange;
    const model = fact.model === "" ? "other" : fact.model;
    this.#linesOf(model, exchange.replica ?? "none", exchange.origin).take(
      fact,
      this.#verdict(fact),
    );
    const cause =
      outcome.kind === "cancelled" ? "client_left" : outcome.kind === "cut" ? "cut" : null;
    if (cause !== null && tokens.output !== null)
      this.families.add("pitot_wasted_tokens_total", { cause }, tokens.output);
    if (exchange.savedTokens !== null)
      this.families.add("pitot_saved_tokens_total", { cause: "client_left" }, exchange.savedTokens);
  }

  /** Something happened to the fleet. */
  happened({ kind, tokens }: FleetEvent): void {
    this.families.add("pitot_events_total", { kind });
    if (kind === "zombie" && tokens !== undefined)
      this.families.add("pitot_wasted_tokens_total", { cause: "zombie" }, tokens);
  }

  /** What could not be delivered, by where it was meant to go. */
  dropped(sink: "log" | "otlp" | "history" | "webhook", total: number): void {
    this.families.set("pitot_telemetry_dropped_total", { sink }, total);
  }

  /** The page, gauges as of now. */
  page(form: PageForm, { feed, slos, release }: PageParts): Promise<Page> {
    this.#fleetGauges();
    this.#sloFigures(slos);
    let queued = 0;
    for (const timer of feed.inFlight()) if (timer.view().phase === "queued") queued++;
    this.families.set("pitot_requests_queued", { priority: "0" }, queued);
    this.families.set("pitot_build_info", { release }, 1);
    this.families.set("pitot_metrics_series", {}, 0);
    this.families.set("pitot_metrics_series", {}, this.families.series);
    return writePage(this.families, form);
  }

  /** Most requests count where the one before did. */
  #linesOf(model: string, replica: string, origin: string): RequestLines {
    if (this.#last?.isOf(model, replica, origin) === true) return this.#last;
    const key = `${model}\u0000${replica}\u0000${origin}`;
    let lines = this.#lines.get(key);
    if (lines === undefined) {
      lines = new RequestLines(this.families, { model, replica, origin });
      // Forgetting them costs a search; replicas that come and go would fill the memory.
      if (this.#lines.size >= LINES_MAX) this.#lines.clear();
      this.#lines.set(key, lines);
    }
    this.#last = lines;
    return lines;
  }

  #verdict({ ttftMs, tpotMs }: Fact): string {
    const late = ttftMs !== null && ttftMs >= this.#goodput.ttftMs;
    const slow = tpotMs !== null && tpotMs >= this.#goodput.tpotMs;
    if (late) return slow ? "both" : "ttft";
    return slow ? "tpot" : "none";
  }

  #fleetGauges(): void {
    const nowMs = this.#clock.nowMs();
    for (const name of FLEET_GAUGES) this.families.reset(name);
    for (const { id, inFlight, state, breakerOpen, stats, statsAtMs } of this.#fleet.views()) {
      const set = (name: (typeof FLEET_GAUGES)[number], value: number | null): void => {
        this.families.set(name, { replica: id }, value);
      };
      set("pitot_requests_in_flight", inFlight);
      set("pitot_replica_available", state === "up" ? 1 : 0);
      set("pitot_replica_breaker_open", breakerOpen ? 1 : 0);
      set("pitot_engine_running", stats?.running ?? null);
      set("pitot_engine_waiting", stats?.waiting ?? null);
      set("pitot_engine_kv_cache_usage_ratio", stats?.kvCacheUsageRatio ?? null);
      set(
        "pitot_engine_stats_age_seconds",
        statsAtMs === null ? null : (nowMs - statsAtMs) / 1_000,
      );
    }
  }

  #sloFigures(desk: SloDesk): void {
    this.families.reset("pitot_slo_burn_rate");
    this.families.reset("pitot_slo_error_budget_remaining_ratio");
    for (const { options, goodTotal, validTotal } of desk.slos) {
      this.families.set("pitot_slo_good_total", { slo: options.name }, goodTotal);
      this.families.set("pitot_slo_valid_total", { slo: options.name }, validTotal);
    }
    for (const { name, burn, budgetRemaining } of desk.views()) {
      const slo = { slo: name };
      this.families.set("pitot_slo_error_budget_remaining_ratio", slo, budgetRemaining);
      for (const { windowMs, rate } of burn)
        this.families.set("pitot_slo_burn_rate", { ...slo, window: windowText(windowMs) }, rate);
    }
  }
}

/** What a page needs besides the families. */
export interface PageParts {
  readonly feed: Feed;
  readonly slos: SloDesk;
  readonly release: string;
}

/** A window as Prometheus writes durations: `5m`, `1h`, `28d`. */
export function windowText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

function thresholdsOf(
  goodput: GoodputOptions,
  slos: readonly SloOptions[],
): Partial<Record<MetricName, number[]>> {
  const thresholds: Partial<Record<MetricName, number[]>> = {};
  const add = (metric: LatencyName, ms: number): void => {
    (thresholds[HISTOGRAM_OF[metric]] ??= []).push(ms / 1_000);
  };
  add("ttft", goodput.ttftMs);
  add("tpot", goodput.tpotMs);
  for (const { targets = [] } of slos)
    for (const { metric, belowMs } of targets) add(metric, belowMs);
  return thresholds;
}
