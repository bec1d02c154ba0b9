import type { VirtualClock } from "../../engines/virtual-clock.ts";

/**
 * Promises between one happening and what it leads to, at most. Waiting for so many turns of the microtask queue is an
 * order of magnitude cheaper than a turn of the event loop, which is what makes a hundred sweeps a test.
 */
const HOPS = 4;
/** Tasks between two turns of the real event loop, so that a test's own time limit still works. */
const TASKS_PER_TURN = 10_000;

/**
 * Runs virtual time until a promise is settled: one task, then every promise it resolved, and so on.
 * @throws when nothing is left to happen and the promise still waits.
 */
export async function runVirtually<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const state = { settled: false };
  const mark = (): void => {
    state.settled = true;
  };
  promise.then(mark, mark);
  await turn();
  for (let tasks = 1; !state.settled; tasks++) {
    if (tasks % TASKS_PER_TURN === 0) await turn();
    if (clock.step()) {
      for (let hop = 0; hop < HOPS; hop++) await RESOLVED;
      continue;
    }
    await turn();
    if (!state.settled && clock.nextDueMs() === null) {
      throw new Error("virtual time ran dry: what is awaited never happens");
    }
  }
  return promise;
}

const RESOLVED = Promise.resolve();

/** One turn of the event loop: every resolved promise runs its continuations. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
