import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { PlannedPrompt, Target } from "../target.ts";
import type { GeneratorHealth, HealthReading } from "./health.ts";
import { ThreadHealth } from "./thread-health.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.ts";

/** Clock readings exchanged with a worker; the quickest round trip places its clock best. */
const CLOCK_ROUNDS = 9;

/** A thread of its own for sockets, and where its clock stands against ours. */
interface Hand {
  readonly worker: Worker;
  readonly offsetMs: number;
  reading: HealthReading;
  inFlight: number;
}

interface Flight {
  readonly hand: Hand;
  readonly finish: (exchange: Exchange) => void;
}

/**
 * A target whose sockets live on worker threads: this thread only plans, so that one machine can flood an engine and the
 * planning does not wait for the parsing. Each request is measured where its bytes arrive.
 */
export class WorkerTarget implements Target, GeneratorHealth {
  readonly label: string;
  readonly #hands: readonly Hand[];
  readonly #own: ThreadHealth;
  readonly #flights = new Map<number, Flight>();
  #next = 0;

  private constructor(label: string, hands: readonly Hand[], clock: Clock) {
    this.label = label;
    this.#hands = hands;
    this.#own = new ThreadHealth(clock);
    for (const hand of hands) {
      hand.worker.on("message", (message: FromWorker) => {
        this.#hear(hand, message);
      });
    }
  }

  /** Starts `count` workers and waits until each has told the time. */
  static async start(setup: WorkerSetup, count: number, clock: Clock): Promise<WorkerTarget> {
    const hands = await Promise.all(Array.from({ length: count }, () => startHand(setup, clock)));
    return new WorkerTarget(setup.url, hands, clock);
  }

  send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    return new Promise((resolve) => {
      const id = this.#next++;
      const hand = this.#freest();
      const abort = (): void => {
        hand.worker.postMessage({ kind: "abort", id } satisfies ToWorker);
      };
      const finish = (exchange: Exchange): void => {
        signal.removeEventListener("abort", abort);
        hand.inFlight--;
        resolve(exchange);
      };
      hand.inFlight++;
      this.#flights.set(id, { hand, finish });
      const plannedMs = prompt.plannedMs + hand.offsetMs;
      const there: PlannedPrompt = { ...prompt, plannedMs };
      hand.worker.postMessage({ kind: "send", id, prompt: there } satisfies ToWorker);
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
  }

  begin(): void {
    this.#own.begin();
    for (const hand of this.#hands) {
      hand.reading = { loopDelayP99Ms: null, cpuShare: null };
      hand.worker.postMessage({ kind: "begin" } satisfies ToWorker);
    }
  }

  /** The worst of all threads: one that is late is late for its share of the requests. */
  read(): HealthReading {
    const readings = [this.#own.read(), ...this.#hands.map(({ reading }) => reading)];
    const most = (of: (reading: HealthReading) => number | null): number | null =>
      readings.reduce<number | null>((worst, reading) => {
        const value = of(reading);
        return value === null ? worst : Math.max(worst ?? 0, value);
      }, null);
    return {
      loopDelayP99Ms: most(({ loopDelayP99Ms }) => loopDelayP99Ms),
      cpuShare: most(({ cpuShare }) => cpuShare),
    };
  }

  async close(): Promise<void> {
    this.#own.close();
    await Promise.all(
      this.#hands.map(async ({ worker }) => {
        worker.postMessage({ kind: "close" } satisfies ToWorker);
        await worker.terminate();
      }),
    );
  }

  #freest(): Hand {
    const [first, ...others] = this.#hands;
    if (first === undefined) throw new Error("a worker target needs a worker");
    return others.reduce((best, hand) => (hand.inFlight < best.inFlight ? hand : best), first);
  }

  #hear(hand: Hand, message: FromWorker): void {
    if (message.kind === "health") hand.reading = message.reading;
    if (message.kind !== "ended") return;
    const flight = this.#flights.get(message.id);
    this.#flights.delete(message.id);
    flight?.finish(onOurClock(message.exchange, hand.offsetMs));
  }
}

async function startHand(setup: WorkerSetup, clock: Clock): Promise<Hand> {
  // Sources run as they are; the built package has the same file compiled.
  const file = import.meta.url.endsWith(".ts") ? "./load-worker.ts" : "./load-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: setup });
  let best = { roundMs: Infinity, offsetMs: 0 };
  for (let round = 0; round < CLOCK_ROUNDS; round++) {
    const askedMs = clock.nowMs();
    worker.postMessage({ kind: "clock" } satisfies ToWorker);
    const nowMs = await clockAnswer(worker);
    const roundMs = clock.nowMs() - askedMs;
    if (roundMs < best.roundMs) best = { roundMs, offsetMs: nowMs - askedMs - roundMs / 2 };
  }
  const reading = { loopDelayP99Ms: null, cpuShare: null };
  return { worker, offsetMs: best.offsetMs, reading, inFlight: 0 };
}

async function clockAnswer(worker: Worker): Promise<number> {
  for (;;) {
    const [message] = (await once(worker, "message")) as [FromWorker];
    if (message.kind === "clock") return message.nowMs;
  }
}

function onOurClock(exchange: Exchange, offsetMs: number): Exchange {
  const times = Object.fromEntries(
    Object.entries(exchange.times).map(([name, value]) => [
      name,
      typeof value === "number" ? value - offsetMs : value,
    ]),
  ) as unknown as Exchange["times"];
  return { ...exchange, times };
}
