import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../engines/clock.ts";
import { RunFolder } from "../../load/results/run-folder.ts";
import type { RunState } from "../../load/results/run-manifest.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import type { Feed } from "../telemetry/feed.ts";
import { RemoteRequest } from "../threads/remote-request.ts";
import type { FromSweep, SweepSetup, SyntheticBatch, ToSweep } from "./thread-messages.ts";

/** A thread that was told to stop closes its sockets and folder within this, or is ended with all it holds. */
const STOP_MS = 700;

export interface SweepThreadParts {
  readonly clock: Clock;
  readonly feed: Feed;
  readonly setup: SweepSetup;
  /** Everything but the end. */
  readonly hear: (message: FromSweep) => void;
}

/** The thread of one sweep, seen from the main thread: started, listened to, stopped in time. */
export class SweepThread {
  readonly #parts: SweepThreadParts;
  readonly #requests = new Map<string, RemoteRequest>();
  #worker: Worker | null = null;

  constructor(parts: SweepThreadParts) {
    this.#parts = parts;
  }

  /** Runs to the end of the plan or until `signal`. `null`: ended before there was anything to sum up. Rejects when it fails. */
  async run(signal: AbortSignal): Promise<SweepSummary | null> {
    if (signal.aborted) return null;
    const { clock, setup, hear } = this.#parts;
    const script = new URL(`./sweep-thread${extname(import.meta.filename)}`, import.meta.url);
    const worker = new Worker(script, { workerData: setup });
    this.#worker = worker;
    let cancelEnd = (): void => {};
    const stop = (): void => {
      worker.postMessage({ kind: "stop" } satisfies ToSweep);
      cancelEnd = clock.schedule(STOP_MS, () => {
        void worker.terminate();
      });
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await new Promise<SweepSummary | null>((resolve, reject) => {
        worker.on("message", (message: FromSweep) => {
          if (message.kind === "traffic") this.#count(message.batch);
          if (message.kind === "done") resolve(message.summary);
          else if (message.kind === "failed") reject(new Error(message.message));
          else hear(message);
        });
        worker.on("error", reject);
        worker.on("exit", () => {
          if (signal.aborted) resolve(null);
          else reject(new Error("the thread that makes the load died"));
        });
      });
    } finally {
      signal.removeEventListener("abort", stop);
      cancelEnd();
      await this.#end(signal.aborted ? "interrupted" : "failed");
    }
  }

  #count({ began, ended }: SyntheticBatch): void {
    const { feed } = this.#parts;
    for (const start of began) {
      const request = new RemoteRequest(start);
      this.#requests.set(start.id, request);
      feed.began(request);
    }
    for (const exchange of ended) {
      const request = this.#requests.get(exchange.id);
      this.#requests.delete(exchange.id);
      if (request === undefined) feed.ended(exchange);
      else feed.closed(request, exchange);
    }
  }

  /** Whatever happened, no thread, no open record and no lock is left; a run whose thread died in mid-write says so. */
  async #end(diedAs: RunState): Promise<void> {
    const { clock, feed, setup } = this.#parts;
    await this.#worker?.terminate();
    this.#worker = null;
    for (const request of this.#requests.values()) feed.closed(request, request.lost(clock));
    this.#requests.clear();
    if (setup.root === null) return;
    const endedAt = new Date(clock.nowMs()).toISOString();
    RunFolder.abandon(join(setup.root, "runs", setup.runId), diedAs, endedAt);
  }
}
