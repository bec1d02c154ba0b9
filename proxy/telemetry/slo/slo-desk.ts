import type { Fact } from "../fact.ts";
import type { SloOptions } from "../options.ts";
import type { MinuteTally } from "./good-valid.ts";
import { type AlertChange, Slo } from "./slo.ts";
import type { SloView } from "./slo-view.ts";

/** Promises at most: each keeps 30 days of minutes. */
export const SLOS_MAX = 100;
/** Rules are judged this often: their shortest window is a minute. */
export const JUDGE_EVERY_MS = 10_000;
/** The longest period whose minutes are kept. */
export const SLO_WINDOW_MAX_MS = 30 * 24 * 3_600_000;
const SLO_WINDOW_MIN_MS = 24 * 3_600_000;

/** A promise that cannot be kept books on; the message names the field, the value and what to do. */
export class SloError extends Error {
  override readonly name = "SloError";
}

/** All promises: counts for them, judges them, tells of alerts that begin and end. */
export class SloDesk {
  readonly slos: readonly Slo[];
  readonly #onChange: (change: AlertChange) => void;
  /** Made when somebody asks; forgotten with the next judgement. */
  #views: readonly SloView[] | null = null;
  #judgedMs: number;

  /** @throws {SloError} when a promise makes no sense. */
  constructor(
    options: readonly SloOptions[],
    nowMs: number,
    onChange: (change: AlertChange) => void,
  ) {
    for (const one of options) check(one);
    if (options.length > SLOS_MAX)
      throw new SloError(`slos: ${options.length} promises are more than ${SLOS_MAX}: merge some.`);
    const names = options.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined)
      throw new SloError(`slos: the name "${twice}" is used twice: give each its own.`);
    this.slos = options.map((one) => new Slo(one));
    this.#onChange = onChange;
    this.#judgedMs = nowMs;
  }

  take(fact: Fact): void {
    for (const slo of this.slos) slo.take(fact);
  }

  /** Judges all when it is time; true when there is something new to show. */
  tick(nowMs: number): boolean {
    if (this.slos.length === 0 || nowMs - this.#judgedMs < JUDGE_EVERY_MS) return false;
    this.#judgedMs = nowMs;
    for (const slo of this.slos) for (const change of slo.judge(nowMs)) this.#onChange(change);
    this.#views = null;
    return true;
  }

  /** As last judged, worst budget first; those without traffic last. */
  views(): readonly SloView[] {
    const left = (view: SloView): number => view.budgetRemaining ?? Infinity;
    this.#views ??= this.slos
      .map((slo) => slo.view(this.#judgedMs))
      .toSorted((a, b) => left(a) - left(b));
    return this.#views;
  }

  /** Takes back what an earlier run counted, by name. */
  restore(minutes: ReadonlyMap<string, readonly MinuteTally[]>, nowMs: number): void {
    for (const slo of this.slos) slo.counts.restore(minutes.get(slo.options.name) ?? []);
    this.#judgedMs = nowMs;
    this.#views = null;
  }
}

function check({ name, objective, windowMs, targets = [] }: SloOptions): void {
  if (name.trim() === "") throw new SloError("slos: a promise has no name: give it one.");
  if (!(objective > 0 && objective < 1))
    throw new SloError(
      `slos "${name}": the objective ${objective} is not between 0 and 1: write 0.95 for 95 %.`,
    );
  if (!(windowMs >= SLO_WINDOW_MIN_MS && windowMs <= SLO_WINDOW_MAX_MS))
    throw new SloError(
      `slos "${name}": a window of ${windowMs / 3_600_000} h is outside 24 h to 30 days.`,
    );
  for (const { metric, belowMs } of targets)
    if (!(belowMs > 0))
      throw new SloError(`slos "${name}": ${metric} below ${belowMs} ms is not above 0.`);
}
