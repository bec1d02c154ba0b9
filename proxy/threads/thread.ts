import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Cancel, Clock } from "../../engines/clock.ts";
import type { ExchangeStart } from "../../engines/exchange-timer.ts";
import type { Feed } from "../telemetry/feed.ts";
import type { Order, Report, ThreadSetup, TrafficBatch } from "./message.ts";
import { RemoteRequest } from "./remote-request.ts";

/** A thread that died is replaced after this long, doubled for each further death soon after. */
const RESTART_MS = 250;
const RESTART_MS_MAX = 10_000;
/** Having lived this long, a thread has earned a clean slate. */
const STEADY_MS = 60_000;

export interface DataThreadParts {
  readonly clock: Clock;
  readonly feed: Feed;
  /** What it is born with, now. */
  readonly setup: () => ThreadSetup;
  readonly onReport: (report: Report) => void;
  readonly onDeath: (why: string) => void;
}

/** One thread of the data path, seen from the main thread: born, listened to, replaced when it dies, wound down. */
export class DataThread {
  readonly #parts: DataThreadParts;
  readonly #requests = new Map<string, RemoteRequest>();
  #worker: Worker | null = null;
  #bornMs = 0;
  #deaths = 0;
  #cancelRestart: Cancel | null = null;
  #isStopping = false;
  #cut = 0;

  constructor(parts: DataThreadParts) {
    this.#parts = parts;
  }

  /** Resolves when it listens. @throws the socket's own error. */
  async start(): Promise<{ readonly port: number; readonly url: string }> {
    const { clock, setup } = this.#parts;
    // The same file with another ending once it is compiled.
    const script = new URL(`./data-thread${extname(import.meta.filename)}`, import.meta.url);
    const worker = new Worker(script, { workerData: setup() });
    this.#worker = worker;
    this.#bornMs = clock.nowMs();
    const [report] = (await once(worker, "message")) as [Report];
    if (report.kind !== "listening") {
      await worker.terminate();
      const message = report.kind === "not-listening" ? report.message : "it did not listen";
      const code = report.kind === "not-listening" ? report.code : "";
      throw Object.assign(new Error(message), { code });
    }
    worker.on("message", (next: Report) => {
      this.#hear(next);
    });
    worker.on("error", (error) => {
      this.#died(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    worker.on("exit", (code) => {
      this.#died(`it exited with status ${code}`);
    });
    return report;
  }

  tell(order: Order): void {
    this.#worker?.postMessage(order);
  }

  /** Lets it finish within `graceMs` and ends it after `limitMs` at the latest. Returns how many requests were cut. */
  async stop(graceMs: number, limitMs: number): Promise<number> {
    this.#isStopping = true;
    this.#cancelRestart?.();
    const worker = this.#worker;
    if (worker === null) return this.#cut;
    const limit = new AbortController();
    const stopped = new Promise<void>((resolve) => {
      worker.on("message", (report: Report) => {
        if (report.kind === "stopped") resolve();
      });
      worker.once("exit", () => {
        resolve();
      });
    });
    this.tell({ kind: "stop", graceMs });
    await Promise.race([stopped, this.#parts.clock.after(limitMs, limit.signal)]);
    limit.abort();
    await worker.terminate();
    this.#lose();
    return this.#cut;
  }

  #hear(report: Report): void {
    if (report.kind === "began") this.#begin(report.starts);
    if (report.kind === "traffic") this.#count(report.batch);
    if (report.kind === "stopped") this.#cut = report.cut;
    this.#parts.onReport(report);
  }

  #begin(starts: readonly ExchangeStart[]): void {
    for (const start of starts) {
      const request = new RemoteRequest(start);
      this.#requests.set(start.id, request);
      this.#parts.feed.began(request);
    }
  }

  #count({ ended, views }: TrafficBatch): void {
    const { feed } = this.#parts;
    for (const view of views) this.#requests.get(view.id)?.told(view);
    for (const exchange of ended) {
      const request = this.#requests.get(exchange.id);
      this.#requests.delete(exchange.id);
      if (request === undefined) feed.ended(exchange);
      else feed.closed(request, exchange);
    }
  }

  #died(why: string): void {
    if (this.#worker === null) return;
    this.#worker = null;
    this.#lose();
    if (this.#isStopping) return;
    this.#parts.onDeath(why);
    this.#restartLater();
  }

  #restartLater(): void {
    const { clock, onDeath } = this.#parts;
    if (clock.nowMs() - this.#bornMs > STEADY_MS) this.#deaths = 0;
    const waitMs = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** this.#deaths);
    this.#deaths++;
    this.#cancelRestart = clock.schedule(waitMs, () => {
      this.start().catch((error: unknown) => {
        this.#worker = null;
        if (this.#isStopping) return;
        onDeath(`it could not be started again: ${String(error)}`);
        this.#restartLater();
      });
    });
  }

  /** Its requests are over, though it can no longer say how. */
  #lose(): void {
    const { clock, feed } = this.#parts;
    for (const request of this.#requests.values()) feed.closed(request, request.lost(clock));
    this.#requests.clear();
  }
}
