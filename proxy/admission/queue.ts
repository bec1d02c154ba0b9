import type { Cancel, Clock } from "../../engines/clock.ts";

/** How long and how many requests wait while every replica has as many as it may. */
export interface QueueOptions {
  /** Waiting requests per model. */
  readonly queueMax: number;
  /** Longest wait. */
  readonly queueMs: number;
}

/** Short on purpose: what waits longer than this is better told to come back. */
export const QUEUE: QueueOptions = { queueMax: 64, queueMs: 30_000 };

/** How a wait ended. */
export type QueueEnd = "turn" | "timeout" | "left";

/** One request's place in the queue. */
export interface Place {
  readonly ended: Promise<QueueEnd>;
  /** The client went away, or the proxy does: gives the place up. */
  leave(): void;
}

interface Waiter {
  readonly end: (how: QueueEnd) => void;
}

/** First come, first served, per model. A place is taken out by whatever ends it, so nothing dead is ever called up. */
export class Queue {
  readonly #clock: Clock;
  readonly #options: QueueOptions;
  readonly #waiting = new Map<string, Waiter[]>();

  constructor(clock: Clock, options: QueueOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Requests waiting, for one model or in all. */
  lengthOf(model: string): number {
    return this.#waiting.get(model)?.length ?? 0;
  }

  get length(): number {
    let length = 0;
    for (const waiters of this.#waiting.values()) length += waiters.length;
    return length;
  }

  /** Joins the queue: at its end, or at its `front` for a request that was called up and found its replica taken. `null` when it is full. */
  join(model: string, at: "end" | "front" = "end"): Place | null {
    const waiters = this.#waiting.get(model) ?? [];
    if (at === "end" && waiters.length >= this.#options.queueMax) return null;
    this.#waiting.set(model, waiters);
    let end: (how: QueueEnd) => void = () => {};
    let cancel: Cancel = () => {};
    const ended = new Promise<QueueEnd>((resolve) => {
      end = (how) => {
        cancel();
        const index = waiters.indexOf(waiter);
        if (index >= 0) waiters.splice(index, 1);
        if (waiters.length === 0) this.#waiting.delete(model);
        resolve(how);
      };
    });
    const waiter: Waiter = {
      end: (how) => {
        end(how);
      },
    };
    if (at === "end") waiters.push(waiter);
    else waiters.unshift(waiter);
    cancel = this.#clock.schedule(this.#options.queueMs, () => {
      end("timeout");
    });
    return {
      ended,
      leave: () => {
        end("left");
      },
    };
  }

  /** A replica that serves these models (all, when empty) has room for one: calls up whoever waits longest. */
  callUp(models: readonly string[]): void {
    for (const [model, [first]] of this.#waiting) {
      if (models.length > 0 && model !== "" && !models.includes(model)) continue;
      first?.end("turn");
      return;
    }
  }
}
