import type { Clock } from "../../engines/clock.ts";
import type { Exchange, InFlightView, OutcomeKind } from "../../engines/exchange.ts";
import type { UnderWay } from "./feed.ts";
import type { Tick } from "../live/frames.ts";
import { Cell, type CounterName, countedByCounter, endedOf } from "./cell.ts";
import { errorKind } from "./error-kind.ts";
import type { Fact } from "./fact.ts";
import { floorTo, Ladder, type Slot } from "./ladder.ts";
import { GOODPUT_DEFAULT, type GoodputOptions } from "./options.ts";
import { type Dimension, type Part, partKey, type Population } from "./part.ts";
import type { Sketch } from "./sketch.ts";
import { RecentTicks, tickOf } from "./tick.ts";

export const TICK_MS = 1_000;
/** Labels of one dimension in one second; what is beyond counts as `other`. */
const LABELS_MAX: Readonly<Record<Dimension, number>> = { model: 64, replica: 1_024, client: 64 };

/** Combinations of labels whose cells are remembered for the running second. */
const SHARED_MAX = 4_096;

/** What a request is told apart by. */
type Labelled = Pick<Exchange, Dimension>;

/** Where a request was counted. */
interface Counted {
  population: Population;
  model: string;
  replica: string | null;
  client: string | null;
  cells: readonly Cell[];
}

/** A live request, and what of it was counted already. */
interface Live {
  readonly timer: UnderWay;
  readonly model: string;
  countedEvents: number;
  countedFirst: boolean;
}

/** Figures of one part of the traffic over a window, every percentile from merged sketches. */
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

/**
 * Traffic second by second, real and synthetic apart, by model, by replica and by client. Output tokens count in the
 * second they came in, those of unfinished requests included: each live request is asked what is new when the second
 * closes. Everything else of a request counts in the second it ended in.
 */
export class Traffic {
  readonly ladder: Ladder;
  readonly goodput: GoodputOptions;
  readonly #clock: Clock;
  /** Began in the running second, and which of those that did, or ran on, have ended in it. */
  #begun: { readonly timer: UnderWay; readonly model: string }[] = [];
  #over = new Set<string>();
  /** Were under way when the last second closed. Most requests are short and never get here. */
  readonly #live = new Map<string, Live>();
  readonly #recent = new RecentTicks();
  #openMs: number;
  #open = new Map<string, Cell>();
  /** Cells of the running second by all labels at once: most requests share theirs with the one before. */
  #shared = new Map<string, readonly Cell[]>();
  /** And those of the requests that began and ended last. */
  #lastBegun = nothingCounted();
  #lastEnded = nothingCounted();
  #labels = newLabels();

  constructor(
    clock: Clock,
    { ladder = new Ladder(), goodput = GOODPUT_DEFAULT }: Partial<TrafficParts> = {},
  ) {
    this.#clock = clock;
    this.ladder = ladder;
    this.goodput = goodput;
    this.#openMs = floorTo(clock.nowMs(), TICK_MS);
  }

  /** End of the running second. */
  get closesMs(): number {
    return this.#openMs + TICK_MS;
  }

  /** A request begins; `model` is its label. */
  began(timer: UnderWay, model: string): void {
    const { origin, client } = timer.start;
    if (origin === "probe") return;
    this.#begun.push({ timer, model });
    const of = { model, replica: null, client: client ?? null };
    for (const cell of this.#cells(origin, of, this.#lastBegun)) cell.count("started");
  }

  /** A request ended in the running second. */
  ended(fact: Fact): void {
    const { exchange, model } = fact;
    const { replica, client } = exchange;
    const live = this.#live.get(exchange.id);
    if (live === undefined) this.#over.add(exchange.id);
    else this.#live.delete(exchange.id);
    if (exchange.origin === "probe") return;
    const counts = this.#countsOf(fact, live?.countedEvents ?? 0);
    for (const cell of this.#cells(exchange.origin, { model, replica, client }, this.#lastEnded)) {
      for (const [name, by] of counts) cell.count(name, by);
      if (live?.countedFirst !== true) cell.observe("ttft", fact.ttftMs);
      cell.observe("ttfb", fact.ttfbMs);
      cell.observe("tpot", fact.tpotMs);
      cell.observe("stall", fact.stallMs);
      cell.observe("e2e", fact.e2eMs);
      cell.observe("queue", fact.queueMs);
      cell.observe("overhead", fact.overheadMs);
      cell.spread("itl", fact.itl);
    }
  }

  /** Closes the running second and returns it; called by one owner when it is over. */
  tick(): Tick {
    for (const { timer, model } of this.#begun) {
      const { id } = timer.start;
      if (!this.#over.has(id))
        this.#live.set(id, { timer, model, countedEvents: 0, countedFirst: false });
    }
    this.#begun = [];
    this.#over = new Set();
    for (const live of this.#live.values()) this.#sample(live);
    const cells = new Map([...this.#open].map(([part, cell]) => [part, cell.freeze()]));
    const second: Slot = { startMs: this.#openMs, cells };
    this.ladder.push(second);
    this.#open = new Map();
    this.#shared = new Map();
    this.#lastBegun = nothingCounted();
    this.#lastEnded = nothingCounted();
    this.#labels = newLabels();
    this.#openMs += TICK_MS;
    const tick = tickOf(second);
    this.#recent.push(tick);
    return tick;
  }

  /** Leaves out seconds in which the process did not run at all, such as a suspended machine's. */
  skipTo(nowMs: number): void {
    this.#openMs = Math.max(this.#openMs, floorTo(nowMs, TICK_MS));
  }

  /** The last ticks, oldest first. */
  ticks(): readonly Tick[] {
    return this.#recent.all();
  }

  /** Takes back what an earlier run kept, by level. */
  restore(slots: readonly (readonly Slot[])[]): void {
    this.ladder.restore(slots, this.#clock.nowMs());
    for (const second of this.ladder.seconds()) this.#recent.push(tickOf(second));
  }

  /** Everything of one part in the last `windowMs`, merged; whole closed slots and the running second. */
  cell(windowMs: number, part: Part): Cell {
    const nowMs = this.#clock.nowMs();
    const key = partKey(part);
    const cell = this.ladder.window(key, nowMs - windowMs, nowMs);
    const open = this.#open.get(key);
    if (open !== undefined) cell.merge(open.freeze());
    return cell;
  }

  /** The same as figures. */
  window(windowMs: number, part: Part): WindowFigures {
    const cell = this.cell(windowMs, part);
    return {
      windowMs,
      started: cell.get("started"),
      ended: endedOf(cell),
      inputTokens: cell.get("inputTokens"),
      outputTokens: cell.get("outputTokens"),
      ttft: cell.sketch("ttft"),
      tpot: cell.sketch("tpot"),
      e2e: cell.sketch("e2e"),
    };
  }

  #countsOf(fact: Fact, countedEvents: number): readonly (readonly [CounterName, number])[] {
    const { tokens, outcome, attempts } = fact.exchange;
    const counts: (readonly [CounterName, number])[] = [
      [outcome.kind, 1],
      ["inputTokens", tokens.input ?? 0],
      ["cachedInputTokens", tokens.cachedInput ?? 0],
      ["reasoningTokens", tokens.reasoning ?? 0],
      // What the usage says beyond the events counted while it ran belongs to the second it ended in.
      ["outputTokens", Math.max(0, (tokens.output ?? 0) - countedEvents)],
      ["retries", Math.max(0, attempts.length - 1)],
    ];
    const by = countedByCounter(tokens.countedBy);
    if (by !== null) counts.push([by, tokens.output ?? 0]);
    if (outcome.kind === "failed" || outcome.kind === "cut")
      counts.push([`error:${errorKind(outcome.code)}`, 1]);
    if (outcome.kind === "completed") counts.push([verdictOf(fact, this.goodput), 1]);
    return counts;
  }

  #sample(live: Live): void {
    const view = live.timer.view();
    const fresh = view.outputEvents - live.countedEvents;
    live.countedEvents = view.outputEvents;
    const firstMs = live.countedFirst ? null : firstTokenOf(view);
    live.countedFirst ||= firstMs !== null;
    const { origin, replica } = view;
    if (origin === "probe") return;
    const { model } = live;
    const of = { model, replica, client: clientOf(live) };
    for (const cell of this.#cells(origin, of, this.#lastEnded)) {
      cell.count("inFlightSum");
      cell.count("outputTokens", fresh);
      cell.observe("ttft", firstMs);
    }
  }

  /** Every cell of the running second a request counts in. */
  #cells(population: Population, of: Labelled, last: Counted): readonly Cell[] {
    if (
      last.cells.length > 0 &&
      last.population === population &&
      last.model === of.model &&
      last.replica === of.replica &&
      last.client === of.client
    )
      return last.cells;
    const key = `${population}\u0000${of.model}\u0000${of.replica ?? ""}\u0000${of.client ?? ""}`;
    let cells = this.#shared.get(key);
    if (cells === undefined) {
      cells = this.#openCells(population, of);
      // Labels that are too many for cells of their own would be too many here.
      if (this.#shared.size < SHARED_MAX) this.#shared.set(key, cells);
    }
    Object.assign(last, of, { population, cells });
    return cells;
  }

  #openCells(population: Population, of: Labelled): Cell[] {
    const cells = [this.#cell(partKey({ population }))];
    for (const dimension of ["model", "replica", "client"] as const) {
      const label = of[dimension];
      if (label === null || label === "") continue;
      const known = this.#labels[dimension];
      if (known.size < LABELS_MAX[dimension]) known.add(label);
      const bounded = known.has(label) ? label : "other";
      cells.push(this.#cell(partKey({ population, [dimension]: bounded })));
    }
    return cells;
  }

  #cell(part: string): Cell {
    let cell = this.#open.get(part);
    if (cell === undefined) {
      cell = new Cell();
      this.#open.set(part, cell);
    }
    return cell;
  }
}

interface TrafficParts {
  readonly ladder: Ladder;
  readonly goodput: GoodputOptions;
}

/** Which of its promises a completed request kept. A target that does not apply is not missed. */
function verdictOf({ ttftMs, tpotMs }: Fact, target: GoodputOptions): CounterName {
  const isSlowFirst = ttftMs !== null && ttftMs >= target.ttftMs;
  const isSlowAfter = tpotMs !== null && tpotMs >= target.tpotMs;
  if (isSlowFirst) return isSlowAfter ? "slowBoth" : "slowTtft";
  return isSlowAfter ? "slowTpot" : "good";
}

function firstTokenOf(view: InFlightView): number | null {
  return view.firstTokenMs === null ? null : view.firstTokenMs - view.startedMs;
}

function clientOf({ timer }: Live): string | null {
  return timer.start.client ?? null;
}

function newLabels(): Record<Dimension, Set<string>> {
  return { model: new Set(), replica: new Set(), client: new Set() };
}

function nothingCounted(): Counted {
  return { population: "real", model: "", replica: null, client: null, cells: [] };
}
