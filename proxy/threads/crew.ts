import type { Cancel, Clock } from "../../engines/clock.ts";
import { every } from "../../engines/clock.ts";
import type { ListenAddress } from "../config/listen.ts";
import type { ServeChange } from "../serve.ts";
import type { Feed } from "../telemetry/feed.ts";
import { InFlightTable } from "../upstream/in-flight.ts";
import type { ReplicaSet } from "../upstream/replica-set.ts";
import type { Replica } from "../upstream/replica.ts";
import { Columns } from "./columns.ts";
import type { Order, Report, ReplicaShare, ThreadSetup } from "./message.ts";
import { DataThread } from "./thread.ts";

/** Threads at most: beyond the cores of any machine a proxy stands on, and each holds a heap of its own. */
export const THREADS_MAX = 64;
/** As many columns as a proxy may have replicas, and room for those that are leaving. */
const COLUMNS = 2_048;
/** How often the fleet's statistics are handed on; what changes routing is handed on at once. */
const SHARE_MS = 500;
/** What a stopping thread gets beyond the grace before it is ended. */
const STOP_SLACK_MS = 3_000;

export interface CrewParts {
  readonly threads: number;
  readonly clock: Clock;
  readonly replicas: ReplicaSet;
  readonly feed: Feed;
  readonly setup: Omit<ThreadSetup, "row" | "rows" | "inFlight" | "shares">;
}

/**
 * The data path on several threads behind one port: each has its own listener, connections and deadlines; in-flight counts
 * are shared through atomics, judgements of replicas through the main thread, which alone probes, counts and shows. A thread
 * that dies takes its own requests with it, which are recorded as failed, and is replaced.
 */
export class Crew {
  readonly #parts: CrewParts;
  readonly #shared: SharedArrayBuffer;
  readonly #table: InFlightTable;
  readonly #columns: Columns;
  readonly #threads: readonly DataThread[];
  #cancelSharing: Cancel | null = null;
  #listen: ListenAddress;
  #url = "";

  constructor(parts: CrewParts) {
    this.#parts = parts;
    const { threads, setup } = parts;
    this.#shared = InFlightTable.allocate(threads, COLUMNS);
    this.#table = new InFlightTable(this.#shared, threads);
    this.#columns = new Columns(COLUMNS, (column) => this.#table.sum(column) === 0);
    this.#listen = setup.listen;
    this.#threads = Array.from({ length: threads }, (_, row) => this.#thread(row));
  }

  get url(): string {
    return this.#url;
  }

  /** Gives a new replica of the main thread its place in the shared counts. */
  inFlightOf(replica: string): { readonly count: number; add(by: 1 | -1): void } {
    // Row 0 belongs to the first thread; the main thread only reads.
    return this.#table.counter(0, this.#columns.of(replica));
  }

  /** The first thread takes the port, the others join it. Rejects with the socket's own error. */
  async listen(): Promise<void> {
    const [first, ...rest] = this.#threads;
    if (first === undefined) return;
    const { port, url } = await first.start();
    this.#url = url;
    this.#listen = { ...this.#listen, port };
    await Promise.all(rest.map((thread) => thread.start()));
    this.#cancelSharing = every(this.#parts.clock, SHARE_MS, () => {
      this.share();
    });
  }

  /** Hands on how the fleet stands. */
  share(): void {
    this.#tell({ kind: "replicas", shares: this.#shares() });
  }

  change(change: ServeChange): void {
    this.#tell({ kind: "change", change });
  }

  /** Winds every thread down. Returns how many requests were cut. */
  async stop(graceMs: number): Promise<number> {
    this.#cancelSharing?.();
    const cuts = await Promise.all(
      this.#threads.map((thread) => thread.stop(graceMs, graceMs + STOP_SLACK_MS)),
    );
    return cuts.reduce((sum, cut) => sum + cut, 0);
  }

  #thread(row: number): DataThread {
    const { clock, feed, threads, setup } = this.#parts;
    return new DataThread({
      clock,
      feed,
      setup: () => ({
        ...setup,
        listen: this.#listen,
        row,
        rows: threads,
        inFlight: this.#shared,
        shares: this.#shares(),
      }),
      onReport: (report) => {
        this.#hear(report, row);
      },
      onDeath: (why) => {
        this.#table.clear(row);
        const message = `thread ${row + 1} of ${threads} of the data path died and is replaced: ${why}`;
        process.emitWarning(message);
        feed.event({ atMs: clock.nowMs(), kind: "internal-error", subject: "proxy", message });
      },
    });
  }

  #hear(report: Report, from: number): void {
    const { replicas, feed, clock } = this.#parts;
    switch (report.kind) {
      case "event":
        return feed.event(report.event);
      case "unreachable":
        return this.#with(report.replica, (replica) => replicas.unreachable(replica, report.why));
      case "pushed-back": {
        const { replica: id, retryAfterMs } = report.pushback;
        this.#with(id, (replica) => replicas.pushedBack(replica, retryAfterMs));
        return this.#tell(report, from);
      }
      case "judged": {
        const { replica: id, ...judgement } = report.verdict;
        this.#with(id, (replica) => {
          const mark = replica.breakers.of(judgement.model).sent();
          replicas.judge(replica, { ...judgement, mark });
        });
        return this.#tell(report, from);
      }
      case "traffic":
        for (const [id, atMs] of report.batch.lastByteMs)
          this.#with(id, (replica) => replica.heard(atMs, clock.nowMs()));
        return;
      case "began":
      case "listening":
      case "not-listening":
      case "stopped":
    }
  }

  #with(id: string, act: (replica: Replica) => void): void {
    const replica = this.#parts.replicas.find(id);
    if (replica !== undefined) act(replica);
  }

  #tell(order: Order, except = -1): void {
    for (const [row, thread] of this.#threads.entries()) if (row !== except) thread.tell(order);
  }

  #shares(): readonly ReplicaShare[] {
    const shares = this.#parts.replicas.shares();
    this.#columns.keep(new Set(shares.map(({ id }) => id)));
    return shares.map((share) => ({ ...share, column: this.#columns.of(share.id) }));
  }
}
