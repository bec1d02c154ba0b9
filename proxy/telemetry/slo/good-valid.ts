import { floorTo } from "../ladder.ts";

interface RingShape {
  readonly stepMs: number;
  readonly slotsMax: number;
}

/** Seconds for a quarter of an hour, ten seconds for six hours, minutes for 30 days: 0.8 MB a promise. */
const RINGS: readonly RingShape[] = [
  { stepMs: 1_000, slotsMax: 900 },
  { stepMs: 10_000, slotsMax: 2_160 },
  { stepMs: 60_000, slotsMax: 43_200 },
];

/** Good and valid requests of one span of time. */
export interface Tally {
  readonly good: number;
  readonly valid: number;
}

const NOTHING: Tally = { good: 0, valid: 0 };

/** One minute's tally, for keeping. */
export interface MinuteTally extends Tally {
  readonly minuteMs: number;
}

/** Slots by time modulo the ring's length; a slot belongs to the step written beside it. */
class Ring {
  readonly shape: RingShape;
  readonly #step: Float64Array;
  readonly #good: Uint32Array;
  readonly #valid: Uint32Array;

  constructor(shape: RingShape) {
    this.shape = shape;
    this.#step = new Float64Array(shape.slotsMax).fill(-1);
    this.#good = new Uint32Array(shape.slotsMax);
    this.#valid = new Uint32Array(shape.slotsMax);
  }

  add(atMs: number, good: number, valid: number): void {
    const step = Math.floor(atMs / this.shape.stepMs);
    const at = step % this.shape.slotsMax;
    const held = this.#step[at] ?? -1;
    // Older than the ring reaches: it must not be mistaken for now.
    if (held > step) return;
    if (held < step) {
      this.#step[at] = step;
      this.#good[at] = 0;
      this.#valid[at] = 0;
    }
    this.#good[at] = (this.#good[at] ?? 0) + good;
    this.#valid[at] = (this.#valid[at] ?? 0) + valid;
  }

  /** Steps that begin at or after `fromMs` and before `toMs`. */
  sum(fromMs: number, toMs: number): Tally {
    const { stepMs, slotsMax } = this.shape;
    const last = Math.ceil(toMs / stepMs) - 1;
    const first = Math.max(Math.ceil(fromMs / stepMs), last - slotsMax + 1);
    let good = 0;
    let valid = 0;
    for (let step = first; step <= last; step++) {
      const at = step % slotsMax;
      if (this.#step[at] !== step) continue;
      good += this.#good[at] ?? 0;
      valid += this.#valid[at] ?? 0;
    }
    return { good, valid };
  }
}

/** How many requests were good and how many counted, over any window up to 30 days. */
export class GoodValid {
  readonly #rings = RINGS.map((shape) => new Ring(shape));

  add(atMs: number, isGood: 0 | 1): void {
    for (const ring of this.#rings) ring.add(atMs, isGood, 1);
  }

  /** The last `windowMs` up to `nowMs`, from the finest ring that reaches so far back. */
  window(windowMs: number, nowMs: number): Tally {
    return this.between(nowMs - windowMs, nowMs);
  }

  between(fromMs: number, toMs: number): Tally {
    const spanMs = toMs - fromMs;
    const ring =
      this.#rings.find(({ shape }) => spanMs <= shape.stepMs * shape.slotsMax) ??
      this.#rings.at(-1);
    return ring === undefined ? NOTHING : ring.sum(fromMs, toMs);
  }

  /** The minute `atMs` lies in. */
  minute(atMs: number): MinuteTally {
    const minuteMs = floorTo(atMs, 60_000);
    return { minuteMs, ...(this.#rings.at(-1)?.sum(minuteMs, minuteMs + 60_000) ?? NOTHING) };
  }

  /** Every minute of a span in which something counted, oldest first. */
  minutes(fromMs: number, toMs: number): MinuteTally[] {
    const minutes: MinuteTally[] = [];
    for (let atMs = floorTo(fromMs, 60_000); atMs < toMs; atMs += 60_000) {
      const minute = this.minute(atMs);
      if (minute.valid > 0) minutes.push(minute);
    }
    return minutes;
  }

  /** Takes back minutes of an earlier run. In the finer rings a minute lies at its beginning. */
  restore(minutes: readonly MinuteTally[]): void {
    for (const { minuteMs, good, valid } of minutes)
      for (const ring of this.#rings) ring.add(minuteMs, good, valid);
  }
}
