import type { Exchange } from "../../engines/exchange.ts";
import type { Fact } from "./fact.ts";
import type { Example, Families, Histogram, Labels, Value } from "./families.ts";
import type { MetricName } from "./metric-table.ts";

/** Who a request was: what most of its metrics are told apart by. */
export interface Who extends Labels {
  readonly model: string;
  readonly replica: string;
  readonly origin: string;
}

/**
 * The lines of all metrics that requests of one model, replica and origin count in, found by their labels once and then
 * remembered: looking a dozen of them up costs more than counting.
 */
export class RequestLines {
  readonly #families: Families;
  readonly #who: Who;
  readonly #values = new Map<MetricName, Map<string, Value>>();
  readonly #histograms = new Map<MetricName, Histogram>();

  constructor(families: Families, who: Who) {
    this.#families = families;
    this.#who = who;
  }

  isOf(model: string, replica: string, origin: string): boolean {
    const who = this.#who;
    return who.model === model && who.replica === replica && who.origin === origin;
  }

  take(fact: Fact, verdict: string): void {
    const { exchange } = fact;
    const { outcome, decision } = exchange;
    const { kind } = outcome;
    this.#value("pitot_requests_total", kind, () => ({ ...this.#who, outcome: kind })).value++;
    if (kind === "completed") {
      const labels = (): Labels => ({ ...this.#who, verdict });
      this.#value("pitot_goodput_requests_total", verdict, labels).value++;
    }
    this.#latencies(fact);
    this.#tokens(exchange);
    for (const { replica, result } of exchange.attempts)
      if (replica === this.#who.replica)
        this.#value("pitot_attempts_total", result, () => ({ replica, result })).value++;
      else this.#families.add("pitot_attempts_total", { replica, result });
    if (decision === null) return;
    const { policy, reason } = decision;
    const line = policy + reason;
    this.#value("pitot_route_decisions_total", line, () => ({ policy, reason })).value++;
  }

  #latencies(fact: Fact): void {
    const { trace, times } = fact.exchange;
    const traceId = trace?.traceId ?? null;
    const example = traceId === null ? null : { traceId, atMs: times.endedMs };
    const who = this.#who;
    this.#observe("pitot_time_to_first_token_seconds", who, fact.ttftMs, example);
    this.#observe("pitot_request_duration_seconds", who, fact.e2eMs, example);
    this.#observe("pitot_time_to_first_byte_seconds", who, fact.ttfbMs);
    this.#observe("pitot_time_per_output_token_seconds", who, fact.tpotMs);
    this.#observe("pitot_stall_seconds", who, fact.stallMs);
    this.#observe("pitot_queue_seconds", NOBODY, fact.queueMs);
    this.#observe("pitot_proxy_overhead_seconds", NOBODY, fact.overheadMs);
    if (fact.itl.count === 0) return;
    const name = "pitot_inter_token_latency_seconds";
    this.#families.spreadIn(name, this.#histogram(name, who), fact.itl);
  }

  #tokens({ tokens }: Exchange): void {
    const { countedBy } = tokens;
    this.#count("pitot_input_tokens_total", countedBy, tokens.input);
    this.#count("pitot_output_tokens_total", countedBy, tokens.output);
    this.#count("pitot_cached_input_tokens_total", countedBy, tokens.cachedInput);
    this.#count("pitot_reasoning_tokens_total", countedBy, tokens.reasoning);
  }

  #count(name: MetricName, countedBy: string, tokens: number | null): void {
    if (tokens === null) return;
    this.#value(name, countedBy, () => ({ ...this.#who, counted_by: countedBy })).value += tokens;
  }

  #observe(
    name: MetricName,
    labels: Labels,
    valueMs: number | null,
    example: Example | null = null,
  ): void {
    if (valueMs !== null)
      this.#families.observeIn(name, this.#histogram(name, labels), valueMs, example);
  }

  #value(name: MetricName, line: string, labels: () => Labels): Value {
    let lines = this.#values.get(name);
    if (lines === undefined) this.#values.set(name, (lines = new Map<string, Value>()));
    let value = lines.get(line);
    if (value === undefined) lines.set(line, (value = this.#families.value(name, labels())));
    return value;
  }

  #histogram(name: MetricName, labels: Labels): Histogram {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = this.#families.histogram(name, labels);
      this.#histograms.set(name, histogram);
    }
    return histogram;
  }
}

const NOBODY: Labels = {};
