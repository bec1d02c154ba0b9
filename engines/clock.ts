/**
 * The only door to the machine's clock. Everything that depends on time takes a {@link Clock},
 * so that it can be tested, and simulated, without sleeping.
 */
export interface Clock {
  /**
   * Milliseconds since the Unix epoch on a monotonic scale: never jumps back, sub-microsecond
   * resolution, so a difference of two readings is a duration and one reading is a timestamp.
   * The scale is anchored to wall time once, at process start.
   */
  nowMs(): number;
  /** Runs `task` once after `delayMs`. The returned function cancels it; cancelling twice is harmless. */
  schedule(delayMs: number, task: () => void): Cancel;
  /** Resolves after `delayMs`, or at once when `signal` aborts: callers check `signal.aborted`. */
  after(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Takes back something scheduled. Safe to call more than once. */
export type Cancel = () => void;

/** Read once: it never changes, and reading it costs as much as the clock. */
const ORIGIN_MS = performance.timeOrigin;

/** The machine's clock. Its timers keep the process alive; their owner stops them. */
export const systemClock: Clock = {
  nowMs: () => ORIGIN_MS + performance.now(),
  schedule(delayMs, task) {
    const timer = setTimeout(task, Math.max(0, delayMs));
    return () => {
      clearTimeout(timer);
    };
  },
  after(delayMs, signal) {
    return afterOn(systemClock, delayMs, signal);
  },
};

/** {@link Clock.after} built from {@link Clock.schedule}, shared by every clock. */
export function afterOn(
  clock: Pick<Clock, "schedule">,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.schedule(delayMs, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}

/**
 * Runs `task` every `periodMs` until cancelled. The next turn is scheduled from the planned time
 * of the last one, so the beat does not drift; turns missed during a stall are skipped, not caught up.
 */
export function every(clock: Clock, periodMs: number, task: () => void): Cancel {
  let dueMs = clock.nowMs() + periodMs;
  let stopped = false;
  const turn = (): void => {
    if (stopped) return;
    task();
    dueMs = Math.max(dueMs + periodMs, clock.nowMs());
    if (!stopped) cancel = clock.schedule(dueMs - clock.nowMs(), turn);
  };
  let cancel = clock.schedule(periodMs, turn);
  return () => {
    stopped = true;
    cancel();
  };
}
