import type { Clock } from "../../engines/clock.ts";
import { type Exchange, e2eMs, type OutcomeKind, tpotMs, ttftMs } from "../../engines/exchange.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { Tick, TrafficCell } from "../live/frames.ts";
import { Sketch } from "./sketch.ts";

/** Seconds kept one by one: the last quarter of an hour. */
export const TICKS_MAX = 900;
export const TICK_MS = 1_000;
/** Replicas that get cells of their own; beyond it traffic counts in the totals only. */
const REPLICAS_MAX = 1024;

type Population = "real" | "synthetic";

/** One population in one second, still being filled. */
class Cell {
  started = 0;
  readonly ended: Partial<Record<OutcomeKind, number>> = {};
  inputTokens = 0;
  outputTokens = 0;
  inFlight = 0;
  readonly ttft = new Sketch();
  readonly tpot = new Sketch();
  readonly e2e = new Sketch();

  frozen(): TrafficCell {
    const { started, ended, inputTokens, outputTokens, inFlight } = this;
    return {
      started,
      ended: { ...ended },
      inputTokens,
      outputTokens,
      inFlight,
      ttft: this.ttft.bins(),
      tpot: this.tpot.bins(),
    };
  }
}

/** A finished second with its sketches, for merging into windows. */
interface Second {
  readonly atMs: number;
  readonly real: Cell;
  readonly synthetic: Cell;
  readonly byReplica: ReadonlyMap<string, Pair>;
  readonly byModel: ReadonlyMap<string, Pair>;
}

interface Pair {
  readonly real: Cell;
  readonly synthetic: Cell;
}

/** Figures of one population over a window, every percentile from merged sketches. */
export interface WindowFigures {
  readonly windowMs: number;
  readonly started: number;
  readonly ended: Partial<Readonly<Record<OutcomeKind, number>>>;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ttft: Sketch;
  readonly tpot: Sketch;
  readonly e2e: Sketch;
}

/** Which part of the traffic a window is asked of. */
export interface Slice {
  readonly population: Population;
  readonly replica?: string;
  readonly model?: string;
}

/**
 * Traffic second by second, real and synthetic apart, by replica and by model. Output tokens count in the second they
 * came in, those of unfinished requests included: each live request is asked what is new when the second closes.
 */
export class Traffic {
  readonly #clock: Clock;
  readonly #live = new Map<
    string,
    { timer: ExchangeTimer; countedEvents: number; countedFirst: boolean }
  >();
  readonly #seconds: Second[] = [];
  #open: Second;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#open = newSecond(clock.nowMs());
  }

  began(timer: ExchangeTimer): void {
    this.#live.set(timer.start.id, { timer, countedEvents: 0, countedFirst: false });
    for (const cell of this.#cells(timer.start.origin, null, timer.start.model)) cell.started++;
  }

  ended(exchange: Exchange): void {
    const live = this.#live.get(exchange.id);
    this.#live.delete(exchange.id);
    if (exchange.origin === "probe") return;
    const { tokens, outcome } = exchange;
    const ttft = ttftMs(exchange);
    const tpot = tpotMs(exchange);
    // What the usage says beyond the events counted while it ran belongs to the second it ended in.
    const restTokens = Math.max(0, (tokens.output ?? 0) - (live?.countedEvents ?? 0));
    for (const cell of this.#cells(exchange.origin, exchange.replica, exchange.model)) {
      cell.ended[outcome.kind] = (cell.ended[outcome.kind] ?? 0) + 1;
      cell.inputTokens += tokens.input ?? 0;
      cell.outputTokens += restTokens;
      if (ttft !== null && live?.countedFirst !== true) cell.ttft.add(ttft);
      if (tpot !== null) cell.tpot.add(tpot);
      if (outcome.kind === "completed") cell.e2e.add(e2eMs(exchange));
    }
  }

  /** Closes the running second and returns it; called once a second by one owner. */
  tick(): Tick {
    for (const live of this.#live.values()) this.#sample(live);
    const second = this.#open;
    this.#seconds.push(second);
    if (this.#seconds.length > TICKS_MAX) this.#seconds.shift();
    this.#open = newSecond(this.#clock.nowMs());
    return frozenTick(second);
  }

  /** The last ticks, oldest first. */
  ticks(): readonly Tick[] {
    return this.#seconds.map(frozenTick);
  }

  /** Everything in the last `windowMs`, merged; whole closed seconds and the running one. */
  window(windowMs: number, { population, replica, model }: Slice): WindowFigures {
    const sinceMs = this.#clock.nowMs() - windowMs;
    const figures = {
      windowMs,
      started: 0,
      ended: {} as Partial<Record<OutcomeKind, number>>,
      inputTokens: 0,
      outputTokens: 0,
      ttft: new Sketch(),
      tpot: new Sketch(),
      e2e: new Sketch(),
    };
    for (const second of [...this.#seconds, this.#open]) {
      if (second.atMs < sinceMs) continue;
      const pair =
        replica !== undefined
          ? second.byReplica.get(replica)
          : model !== undefined
            ? second.byModel.get(model)
            : second;
      const cell = pair?.[population];
      if (cell === undefined) continue;
      figures.started += cell.started;
      figures.inputTokens += cell.inputTokens;
      figures.outputTokens += cell.outputTokens;
      for (const [kind, count] of Object.entries(cell.ended) as [OutcomeKind, number][])
        figures.ended[kind] = (figures.ended[kind] ?? 0) + count;
      figures.ttft.merge(cell.ttft);
      figures.tpot.merge(cell.tpot);
      figures.e2e.merge(cell.e2e);
    }
    return figures;
  }

  #sample(live: { timer: ExchangeTimer; countedEvents: number; countedFirst: boolean }): void {
    const view = live.timer.view();
    const fresh = view.outputEvents - live.countedEvents;
    live.countedEvents = view.outputEvents;
    const first =
      view.firstTokenMs !== null && !live.countedFirst ? view.firstTokenMs - view.startedMs : null;
    live.countedFirst ||= first !== null;
    for (const cell of this.#cells(view.origin, view.replica, view.model)) {
      cell.inFlight++;
      cell.outputTokens += fresh;
      if (first !== null) cell.ttft.add(first);
    }
  }

  /** Every cell of the running second a request counts in. */
  #cells(origin: Exchange["origin"], replica: string | null, model: string): Cell[] {
    if (origin === "probe") return [];
    const cells = [this.#open[origin]];
    if (replica !== null)
      cells.push(pairOf(this.#open.byReplica as Map<string, Pair>, replica)[origin]);
    if (model !== "") cells.push(pairOf(this.#open.byModel as Map<string, Pair>, model)[origin]);
    return cells;
  }
}

function pairOf(pairs: Map<string, Pair>, key: string): Pair {
  const bounded = pairs.has(key) || pairs.size < REPLICAS_MAX ? key : "other";
  let pair = pairs.get(bounded);
  if (pair === undefined) {
    pair = { real: new Cell(), synthetic: new Cell() };
    pairs.set(bounded, pair);
  }
  return pair;
}

function newSecond(atMs: number): Second {
  return {
    atMs,
    real: new Cell(),
    synthetic: new Cell(),
    byReplica: new Map(),
    byModel: new Map(),
  };
}

function frozenTick(second: Second): Tick {
  const byReplica = Object.fromEntries(
    [...second.byReplica].map(([id, { real, synthetic }]) => [
      id,
      { real: real.frozen(), synthetic: synthetic.frozen() },
    ]),
  );
  return {
    atMs: second.atMs,
    real: second.real.frozen(),
    synthetic: second.synthetic.frozen(),
    byReplica,
  };
}
