import type { StopReason } from "../results/point.ts";
import { batchMeans } from "../statistics/batch-means.ts";
import { ascending, percentile } from "../statistics/percentile.ts";
import { rampMsOf } from "./cohort.ts";
import { courseOf } from "./course.ts";
import type { PointTask } from "./plan.ts";
import { BIN_MS, binsBetween, type PointRecord } from "./point-record.ts";
import type { Sample } from "./sample.ts";
import { isStable } from "./stable.ts";
import { isHopeless, judge, LOOK_CONFIDENCE } from "./verdict.ts";

/** What the stage is to do after a look. */
export type PhaseStep = "go-on" | "stop-sending" | "cut";

/** An open loop fills from empty: it has settled when its requests have come and gone so many times. */
export const SETTLE_STAYS = 2;
/** One that began with a cohort need only forget how it came. */
const COHORT_STAYS = 0.5;
/** Each look at an undecided point comes after this many times the window of the last. */
const LOOK_GROWTH = 1.5;
/** An open loop's TPOT need only be known roughly; a closed loop's throughput is what its level is for. */
const OPEN_PRECISION_FACTOR = 2;
/** Between looks for enough precision; they cost a pass over the samples. */
const PRECISION_GROWTH = 1.1;
/** Requests of the window are waited for under full load this many times their own E2E p95 … */
const TAIL_E2E = 2;
const TAIL_MS_MIN = 1_000;
/** … and, once sending has stopped, so long. */
const GRACE_MS_MIN = 30_000;
const GRACE_E2E = 3;
/** A window younger than this is not called over-saturated. */
const OVER_SATURATED_MS_MIN = 20_000;
/** This share of failures among at least so many requests ends a point. */
const FAILED_SHARE_MAX = 0.2;
const FAILED_OF_MIN = 20;

/**
 * The phases of one point: settling → measuring → waiting for the window's requests, under load → draining. Told the
 * time, says what to do; holds no timer and sends nothing.
 */
export class PointPhases {
  phase: "settling" | "measuring" | "draining" = "settling";
  windowFromMs = 0;
  windowToMs = Infinity;
  stopReason: StopReason = "requests";
  /** Requests that had ended when the window opened. */
  endedBefore = 0;
  /** In-flight requests × ms at the window's two ends. */
  areaFrom = 0;
  areaTo = 0;
  readonly #task: PointTask;
  readonly #record: PointRecord;
  #fullAtMs: number | null = null;
  #lookMs: number;
  #waiting = false;
  #tailMs = 0;
  #seconds = 0;

  constructor(task: PointTask, record: PointRecord) {
    this.#task = task;
    this.#record = record;
    this.#lookMs = task.stop.windowMsMin;
  }

  /** True for requests planned in the window. */
  covers(sample: Pick<Sample, "plannedMs">): boolean {
    return (
      this.phase !== "settling" &&
      sample.plannedMs >= this.windowFromMs &&
      sample.plannedMs < this.windowToMs
    );
  }

  tick(atMs: number, nowMs: number): PhaseStep {
    this.#sampleSeconds(atMs);
    if (this.#isFailing()) return this.#giveUp("errors", atMs, nowMs);
    if (this.phase === "settling") return this.#settle(atMs, nowMs);
    if (this.phase === "draining") return this.#drain(atMs);
    return this.#waiting ? this.#wait(atMs) : this.#measure(atMs, nowMs);
  }

  /** The stage ended by itself, or was cut: whatever window is open closes. */
  close(atMs: number, nowMs: number): void {
    if (this.windowToMs !== Infinity) return;
    this.windowToMs = onBin(atMs);
    this.areaTo = this.#record.areaAt(nowMs);
  }

  #settle(atMs: number, nowMs: number): PhaseStep {
    const { stop, load } = this.#task;
    // Hundreds of users take as long to be read as a window of them is.
    const share = load.mode === "closed" ? 1 : 1 / 2;
    const longest = Math.max(stop.settleMsMin, stop.windowMsMax * share);
    if (atMs < stop.settleMsMin || (atMs < longest && !this.#isSettled(atMs))) return "go-on";
    this.phase = "measuring";
    this.windowFromMs = stop.untilStable ? 0 : onBin(atMs);
    this.areaFrom = this.#record.areaAt(nowMs);
    this.endedBefore = this.#record.samples.length;
    return "go-on";
  }

  #isSettled(atMs: number): boolean {
    const { load, cohort } = this.#task;
    const ended = this.#record.samples.map((sample) => sample.e2eMs);
    if (load.mode === "open") {
      // Those that have ended so early were short; how many are under way says how long they really stay.
      const stayMs = (this.#record.inFlight * 1000) / load.ratePerSecond;
      if (cohort !== null) {
        return atMs >= rampMsOf(cohort.count) + COHORT_STAYS * cohort.stayMs;
      }
      return atMs >= SETTLE_STAYS * Math.max(stayMs, percentile(ascending(ended), 0.5) ?? 0);
    }
    if (this.#record.inFlightMax < load.concurrency || ended.length === 0) return false;
    // One user alone finds the engine as the last answer left it.
    if (load.concurrency === 1) return true;
    this.#fullAtMs ??= atMs;
    return atMs - this.#fullAtMs >= (percentile(ascending(ended), 0.5) ?? 0);
  }

  #measure(atMs: number, nowMs: number): PhaseStep {
    const { stop } = this.#task;
    if (stop.untilStable && isStable(this.#record.samples, stop.requests)) {
      return this.#giveUp("stable", atMs, nowMs);
    }
    if (this.#isOverSaturated(atMs)) return this.#giveUp("over-saturated", atMs, nowMs);
    const windowMs = atMs - this.windowFromMs;
    if (windowMs < this.#lookMs) return "go-on";
    const isLast = windowMs >= stop.windowMsMax;
    if (stop.decide.length === 0 && !isLast && !this.#isPrecise(atMs)) {
      this.#lookMs = Math.min(windowMs * PRECISION_GROWTH, stop.windowMsMax);
      return "go-on";
    }
    this.stopReason = isLast ? "time" : "precise";
    if (stop.untilStable) return this.#giveUp("time", atMs, nowMs);
    this.#openBorder(atMs, nowMs);
    return this.#wait(atMs);
  }

  #openBorder(atMs: number, nowMs: number): void {
    this.windowToMs = onBin(atMs);
    this.areaTo = this.#record.areaAt(nowMs);
    this.#record.setBorder(this.windowToMs);
    this.#waiting = true;
    const e2e = this.#record.samples.slice(-1000).map((sample) => sample.e2eMs);
    this.#tailMs = percentile(ascending(e2e), 0.95) ?? 0;
  }

  /** The load goes on while the window's requests end, so that they end under the load they began with. */
  #wait(atMs: number): PhaseStep {
    if (this.#record.openBefore === 0) return this.#evaluate(atMs);
    const beyondMs = atMs - this.windowToMs;
    if (beyondMs <= Math.max(TAIL_MS_MIN, TAIL_E2E * this.#tailMs)) return "go-on";
    this.phase = "draining";
    return "stop-sending";
  }

  /** Every request of the window has ended: is that enough? */
  #evaluate(atMs: number): PhaseStep {
    const { stop } = this.#task;
    if (stop.decide.length === 0) return "cut";
    const samples = this.#record.samples
      .filter((sample) => this.covers(sample))
      .sort((a, b) => a.plannedMs - b.plannedMs);
    const judged = {
      samples,
      ...courseOf(this.#task, this.#record, [this.windowFromMs, this.windowToMs]),
      confidence: LOOK_CONFIDENCE,
      meanGapMs: this.#record.meanGapMs,
    };
    const open = stop.decide
      .map((objective) => judge(objective, judged))
      .filter(({ verdict }) => verdict === "undecided");
    const windowMs = this.windowToMs - this.windowFromMs;
    const longer = stop.windowMsMax / windowMs;
    if (open.length === 0 || longer <= 1 || this.phase === "draining") {
      this.stopReason = open.length === 0 ? "decided" : "time";
      return "cut";
    }
    if (open.every((verdict) => isHopeless(verdict, longer))) {
      this.stopReason = "hopeless";
      return "cut";
    }
    this.#lookMs = Math.min(
      Math.max(windowMs * LOOK_GROWTH, atMs - this.windowFromMs),
      stop.windowMsMax,
    );
    this.#waiting = false;
    this.windowToMs = Infinity;
    this.#record.setBorder(Infinity);
    return "go-on";
  }

  #drain(atMs: number): PhaseStep {
    if (this.#record.openBefore === 0) return this.#evaluate(atMs);
    const graceMs = Math.max(GRACE_MS_MIN, GRACE_E2E * this.#tailMs);
    return atMs - this.windowToMs > graceMs ? this.#evaluate(atMs) : "stop-sending";
  }

  #giveUp(reason: StopReason, atMs: number, nowMs: number): PhaseStep {
    this.stopReason = reason;
    this.close(atMs, nowMs);
    if (this.phase === "settling") this.phase = "measuring";
    return "cut";
  }

  #isFailing(): boolean {
    const { failed, samples } = this.#record;
    return samples.length >= FAILED_OF_MIN && failed > FAILED_SHARE_MAX * samples.length;
  }

  #isOverSaturated(atMs: number): boolean {
    const { load, stop } = this.#task;
    const windowMs = atMs - this.windowFromMs;
    if (load.mode === "closed" || windowMs < OVER_SATURATED_MS_MIN) return false;
    return (
      this.#record.inFlight > stop.inFlightMax &&
      courseOf(this.#task, this.#record, [this.windowFromMs, onBin(atMs)]).fellBehind
    );
  }

  #isPrecise(atMs: number): boolean {
    const { load, stop } = this.#task;
    const samples = this.#record.samples.filter((sample) => this.covers(sample));
    if (samples.length < stop.requests) return false;
    if (load.mode === "open") {
      const tpot = samples.map((sample) => sample.tpotMs).filter((value) => value !== null);
      return tpot.length === 0 || isWithin(tpot, stop.precision * OPEN_PRECISION_FACTOR);
    }
    const { outputTokens } = this.#record;
    return isWithin(binsBetween(outputTokens, this.windowFromMs, onBin(atMs)), stop.precision);
  }

  #sampleSeconds(atMs: number): void {
    for (; this.#seconds <= Math.floor(atMs / 1000); this.#seconds++) {
      this.#record.inFlightEachSecond[this.#seconds] = this.#record.inFlight;
    }
  }
}

function isWithin(values: ArrayLike<number>, precision: number): boolean {
  const estimate = batchMeans(values);
  return estimate !== null && estimate.halfWidth <= precision * estimate.mean;
}

function onBin(atMs: number): number {
  return Math.round(atMs / BIN_MS) * BIN_MS;
}
