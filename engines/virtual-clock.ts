import { afterOn, type Cancel, type Clock } from "./clock.ts";

interface Task {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/**
 * A clock that moves only when told to. Discrete-event simulations and tests run an hour of
 * traffic in seconds on it, and the same seed gives the same hour each time.
 *
 * Tasks run in order of their due time; equal times run in the order they were scheduled.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #scheduled = 0;
  readonly #heap: Task[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, run: () => void): Cancel {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const task: Task = { dueMs, order: this.#scheduled++, run, cancelled: false };
    push(this.#heap, task);
    return () => {
      task.cancelled = true;
    };
  }

  after(delayMs: number, signal?: AbortSignal): Promise<void> {
    return afterOn(this, delayMs, signal);
  }

  /** Time of the next task that is still wanted, or `null` when nothing is left to happen. */
  nextDueMs(): number | null {
    this.#dropCancelled();
    return this.#heap[0]?.dueMs ?? null;
  }

  /** Runs the next task, moving time to it. Returns false when nothing is left. */
  step(): boolean {
    this.#dropCancelled();
    const task = pop(this.#heap);
    if (task === undefined) return false;
    this.#nowMs = task.dueMs;
    task.run();
    return true;
  }

  /** Runs every task due within the next `durationMs` and leaves the clock at its end. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (let due = this.nextDueMs(); due !== null && due <= endMs; due = this.nextDueMs()) {
      this.step();
    }
    this.#nowMs = endMs;
  }

  /**
   * {@link advance} for code that awaits between tasks: lets pending promises settle after every
   * task, so that what they schedule is part of the same future.
   */
  async advanceSettling(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    for (let due = this.nextDueMs(); due !== null && due <= endMs; due = this.nextDueMs()) {
      this.step();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.cancelled === true) pop(this.#heap);
  }
}

/** One turn of the event loop: every promise already resolved runs its continuations. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function before(a: Task, b: Task): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

function push(heap: Task[], task: Task): void {
  let index = heap.length;
  heap.push(task);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || before(above, task)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = task;
}

function pop(heap: Task[]): Task | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let index = 0;
  for (;;) {
    const left = heap[2 * index + 1];
    const right = heap[2 * index + 2];
    if (left === undefined) break;
    const [child, at] =
      right !== undefined && before(right, left) ? [right, 2 * index + 2] : [left, 2 * index + 1];
    if (before(last, child)) break;
    heap[index] = child;
    index = at;
  }
  heap[index] = last;
  return top;
}
