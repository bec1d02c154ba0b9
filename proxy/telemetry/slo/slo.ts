import { latencyOf, type Fact } from "../fact.ts";
import type { LatencyName, SloOptions } from "../options.ts";
import { type BurnRule, burnRate, judge, rulesFor } from "./burn-rate.ts";
import { GoodValid } from "./good-valid.ts";
import type { AlertView, ExclusionReason, SloView } from "./slo-view.ts";

/** Points of the budget's history. */
const HISTORY_POINTS = 56;
/** Refusals that are ours, not the caller's: the fleet had no room. They break the promise. */
const OURS = new Set(["queue_full", "queue_timeout", "overloaded", "no_replica_available"]);

const LATENCY_WORDS: Readonly<Record<LatencyName, string>> = {
  ttft: "first token",
  ttfb: "first byte",
  tpot: "time per output token",
  e2e: "whole answer",
  queue: "wait in the proxy",
};

/** A rule and whether it fires. */
interface Alert {
  readonly rule: BurnRule;
  firing: boolean;
  held: boolean;
  sinceMs: number | null;
  longRate: number | null;
  shortRate: number | null;
}

/** An alert that began or ended with this judgement. */
export interface AlertChange {
  readonly slo: Slo;
  readonly alert: AlertView;
}

/** One promise, counted and judged. */
export class Slo {
  readonly options: SloOptions;
  readonly sentence: string;
  readonly counts = new GoodValid();
  /** Good and valid since start, for Prometheus. */
  goodTotal = 0;
  validTotal = 0;
  readonly #alerts: Alert[];
  readonly #excluded: Record<ExclusionReason, number> = {
    cancelled: 0,
    rejected: 0,
    "not-applicable": 0,
  };

  constructor(options: SloOptions) {
    this.options = options;
    this.sentence = sentenceOf(options);
    this.#alerts = rulesFor(options.objective, options.windowMs).map((rule) => ({
      rule,
      firing: false,
      held: false,
      sinceMs: null,
      longRate: null,
      shortRate: null,
    }));
  }

  /** Counts one ended request, when it is this promise's matter. Returns whether it was good; `null`: it does not count. */
  take(fact: Fact): boolean | null {
    if (!this.#matches(fact)) return null;
    const verdict = verdictOf(fact, this.options);
    if (typeof verdict === "string") {
      this.#excluded[verdict]++;
      return null;
    }
    this.counts.add(fact.exchange.times.endedMs, verdict ? 1 : 0);
    this.validTotal++;
    if (verdict) this.goodTotal++;
    return verdict;
  }

  /** Judges every rule as of now and returns what changed. */
  judge(nowMs: number): readonly AlertChange[] {
    const { objective } = this.options;
    const changes: AlertChange[] = [];
    for (const alert of this.#alerts) {
      const long = this.counts.window(alert.rule.longMs, nowMs);
      const short = this.counts.window(alert.rule.shortMs, nowMs);
      alert.longRate = burnRate(long, objective);
      alert.shortRate = burnRate(short, objective);
      const verdict = judge(alert.rule, objective, long, short);
      alert.held = verdict === "held";
      const firing = verdict === "firing";
      if (firing === alert.firing) continue;
      alert.firing = firing;
      alert.sinceMs = nowMs;
      changes.push({ slo: this, alert: alertView(alert) });
    }
    return changes;
  }

  view(nowMs: number): SloView {
    const { name, objective, windowMs } = this.options;
    const { good, valid } = this.counts.window(windowMs, nowMs);
    const budgetRemaining = valid === 0 ? null : 1 - (valid - good) / ((1 - objective) * valid);
    const alerts = this.#alerts.map(alertView);
    const burn = burnWindows(alerts, windowMs).map((ms) => {
      const tally = this.counts.window(ms, nowMs);
      return { windowMs: ms, rate: burnRate(tally, objective), valid: tally.valid };
    });
    const hourly = alerts[0]?.longRate ?? null;
    const exhaustedInMs =
      budgetRemaining === null || hourly === null || hourly === 0
        ? null
        : Math.max(0, (budgetRemaining * windowMs) / hourly);
    return {
      name,
      sentence: this.sentence,
      options: this.options,
      good,
      valid,
      attainment: valid === 0 ? null : good / valid,
      budgetRemaining,
      burn,
      exhaustedInMs,
      state: worst(alerts),
      alerts,
      excluded: { ...this.#excluded },
      budgetHistory: this.#budgetHistory(nowMs),
      judgedMs: nowMs,
    };
  }

  /** Budget left had the period ended at each of some moments up to now. */
  #budgetHistory(nowMs: number): (number | null)[] {
    const { objective, windowMs } = this.options;
    const stepMs = windowMs / HISTORY_POINTS;
    let good = 0;
    let valid = 0;
    const all = this.counts.window(windowMs, nowMs);
    return Array.from({ length: HISTORY_POINTS }, (_, index) => {
      const fromMs = nowMs - windowMs + index * stepMs;
      const step = this.counts.between(fromMs, fromMs + stepMs);
      good += step.good;
      valid += step.valid;
      // Against the whole period's traffic, so that a quiet first day does not look like a disaster.
      return valid === 0 ? null : 1 - (valid - good) / ((1 - objective) * all.valid);
    });
  }

  #matches({ exchange, model }: Fact): boolean {
    const { match = {} } = this.options;
    return (
      exchange.origin === (match.origin ?? "real") &&
      (match.model === undefined || model === match.model) &&
      (match.route === undefined || exchange.route === match.route) &&
      (match.replica === undefined || exchange.replica === match.replica) &&
      (match.client === undefined || exchange.client === match.client) &&
      (match.streamed === undefined || exchange.streamed === match.streamed)
    );
  }
}

/** Good or not, or why it does not count. Good: it succeeded and met every target that applies to it. */
function verdictOf(fact: Fact, { targets = [] }: SloOptions): boolean | ExclusionReason {
  const { outcome } = fact.exchange;
  switch (outcome.kind) {
    case "cancelled":
      return "cancelled";
    case "rejected":
      return OURS.has(outcome.code) ? false : "rejected";
    case "failed":
    case "cut":
      return false;
    case "completed": {
      if (targets.length === 0) return true;
      const applying = targets
        .map(({ metric, belowMs }) => ({ value: latencyOf(fact, metric), belowMs }))
        .filter(({ value }) => value !== null);
      if (applying.length === 0) return "not-applicable";
      return applying.every(({ value, belowMs }) => value !== null && value < belowMs);
    }
  }
}

function alertView({ rule, ...state }: Alert): AlertView {
  return { ...rule, ...state };
}

function worst(alerts: readonly AlertView[]): SloView["state"] {
  const firing = alerts.filter((alert) => alert.firing).map((alert) => alert.severity);
  return firing.includes("page") ? "page" : firing.includes("ticket") ? "ticket" : "ok";
}

/** Every window of the rules and the period itself, shortest first, each once. */
function burnWindows(alerts: readonly AlertView[], periodMs: number): number[] {
  const windows = alerts.flatMap(({ longMs, shortMs }) => [longMs, shortMs]);
  return [...new Set([...windows, periodMs])].toSorted((a, b) => a - b);
}

/** The promise in words. */
function sentenceOf({ objective, match = {}, targets = [], windowMs }: SloOptions): string {
  const share = `${Number((objective * 100).toPrecision(6))} %`;
  const who = [
    match.origin === undefined || match.origin === "real" ? null : match.origin,
    match.route ?? null,
    "requests",
    match.model === undefined ? null : `to ${match.model}`,
    match.replica === undefined ? null : `on ${match.replica}`,
    match.client === undefined ? null : `of ${match.client}`,
  ].filter((part) => part !== null);
  const what =
    targets.length === 0
      ? "answered"
      : targets
          .map(({ metric, belowMs }) => `${LATENCY_WORDS[metric]} < ${duration(belowMs)}`)
          .join(" and ");
  return `${share} of ${who.join(" ")}: ${what} over ${period(windowMs)}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Number((ms / 1_000).toPrecision(6))} s`;
}

function period(ms: number): string {
  const hours = ms / 3_600_000;
  return hours % 24 === 0 && hours >= 48 ? `${hours / 24} days` : `${hours} h`;
}
