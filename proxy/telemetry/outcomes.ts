import type { Clock } from "../../engines/clock.ts";
import type { OutcomeKind } from "../../engines/exchange.ts";
import type { Goodput } from "../live/frames.ts";
import { Cell, endedOf, errorsOf, goodputOf } from "./cell.ts";
import type { ErrorKind } from "./error-kind.ts";
import type { GoodputOptions } from "./options.ts";
import { partKey, type Population } from "./part.ts";
import type { Traffic } from "./traffic.ts";

/** What is asked. */
export interface OutcomesQuery {
  readonly population: Population;
  readonly windowMs: number;
  /** End of the window; now unless said. */
  readonly untilMs?: number;
  /** One replica instead of the fleet. */
  readonly replica?: string;
}

/** The answer of `GET /api/v1/outcomes`: how the requests of a window ended. */
export interface OutcomesAnswer {
  readonly origin: Population;
  readonly windowMs: number;
  /** Start of the first slot counted: a window reaches back to a whole slot of the level that answers it. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** What {@link OutcomesAnswer.completed} is held against. */
  readonly targets: GoodputOptions;
  /** Outcomes that did not occur are absent. */
  readonly ended: Partial<Readonly<Record<OutcomeKind, number>>>;
  /** The completed ones by the promise they broke. */
  readonly completed: Goodput;
  /** The failed and the cut ones by kind; kinds that did not occur are absent. */
  readonly errors: Partial<Readonly<Record<ErrorKind, number>>>;
}

/** Counts out of the windows everything else is told from, so that a range of a month costs what one of an hour does. */
export function readOutcomes(traffic: Traffic, clock: Clock, query: OutcomesQuery): OutcomesAnswer {
  const { population, windowMs, replica } = query;
  const untilMs = query.untilMs ?? clock.nowMs();
  const spanMs = clock.nowMs() - untilMs + windowMs;
  const slotMs = traffic.ladder.stepMs(spanMs);
  const fromMs = Math.ceil((untilMs - windowMs) / slotMs) * slotMs;
  const part = partKey({ population, ...(replica === undefined ? {} : { replica }) });
  const cell = new Cell();
  for (const { startMs, cells } of traffic.ladder.slots(spanMs, fromMs)) {
    const held = startMs < untilMs ? cells.get(part) : undefined;
    if (held !== undefined) cell.merge(held);
  }
  return {
    origin: population,
    windowMs,
    fromMs,
    untilMs,
    targets: traffic.goodput,
    ended: endedOf(cell),
    completed: goodputOf(cell),
    errors: errorsOf(cell),
  };
}
