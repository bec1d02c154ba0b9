import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { FleetEventKind } from "../upstream/fleet.ts";
import type { ReplicaSet } from "../upstream/replica-set.ts";
import type { Replica } from "../upstream/replica.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { coTraffic } from "./co-traffic.ts";
import { DrainHold } from "./drain-hold.ts";
import { EmbeddedFile } from "./embedded-document.ts";
import { guardFired, GuardWatch } from "./guard-watch.ts";
import { othersServe } from "./other-replicas.ts";
import { replicaTarget } from "./replica-target.ts";
import { routedTarget } from "./routed-target.ts";
import { SweepBook, type SweepEnd } from "./sweep-book.ts";
import type { SweepOrder } from "./sweep-order.ts";
import { SweepThread } from "./sweep-worker.ts";
import type { SweepRow, SweepView } from "./sweep-view.ts";
import type { FromSweep, SweepSetup } from "./thread-messages.ts";

/** What sweeps lean on; one of each per proxy. */
export interface SweepServices {
  readonly clock: Clock;
  readonly replicas: ReplicaSet;
  readonly telemetry: Telemetry;
  /** Where clients connect. */
  readonly dataUrl: () => string;
  readonly markToken: string;
  /** Data directory, or `null` when nothing is kept on disk. */
  readonly dataDir: string | null;
  readonly release: string;
}

/** Guards are looked at so often: with the thread's own time to stop, sockets are closed within a second. */
const WATCH_MS = 200;
/** Users' requests on a replica to be swept may finish within this; the longest answers take minutes. */
const DRAIN_WAIT_MS = 5 * 60_000;
/** What makes it worth writing down anew. */
const KEPT_WITH: ReadonlySet<string> = new Set(["planned", "point-finished", "capacity"]);
/** Users who came within this count as there. */
export const USERS_MS = 60_000;

/** One sweep of one replica, from taking it out of routing to putting it back. Owns thread, hold, watch and book. */
export class EmbeddedSweep {
  /** Resolves when everything is let go of. Never rejects. */
  readonly over: Promise<void>;
  readonly #services: SweepServices;
  readonly #replica: Replica;
  readonly #book: SweepBook;
  readonly #file = new EmbeddedFile((message) => {
    this.#book.warn(message);
  });
  readonly #stop = new AbortController();
  readonly #guards: GuardWatch | null;
  #hold: DrainHold | null = null;
  #synthetic = 0;
  #askedMs: number;

  constructor(id: string, order: SweepOrder, replica: Replica, services: SweepServices) {
    const { clock, telemetry } = services;
    this.#services = services;
    this.#replica = replica;
    this.#askedMs = clock.nowMs();
    this.#book = new SweepBook(id, order, this.#askedMs);
    const { guards } = order;
    this.#guards =
      guards === null
        ? null
        : new GuardWatch({
            feed: telemetry.feed,
            slos: telemetry.slos.slos,
            replica: replica.id,
            guards,
          });
    this.over = this.#run();
  }

  get id(): string {
    return this.#book.id;
  }

  get replica(): string {
    return this.#replica.id;
  }

  get isOver(): boolean {
    return this.#book.isOver;
  }

  row(): SweepRow {
    return this.#book.row();
  }

  /** Whole; whoever asks renews the lease. */
  view(): SweepView {
    this.#askedMs = this.#services.clock.nowMs();
    return this.#book.view();
  }

  /** Closes its sockets within a second; what was measured is kept. */
  stop(why: string): void {
    if (this.#stop.signal.aborted || this.isOver) return;
    this.#book.state = "stopping";
    this.#book.because = why;
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { clock, telemetry } = this.#services;
    const book = this.#book;
    const { path, traffic, plan } = book.order;
    const shapes = plan.workloads.map(({ name }) => name).join(", ");
    this.#tell(
      "sweep-started",
      `${this.replica}: ${plan.preset.name}, ${shapes}, ${path}, ${traffic}`,
    );
    const unlisten = this.#guards === null ? (): void => {} : telemetry.listen(this.#guards);
    const unwatch = this.#watch();
    this.#replica.swept = true;
    const end = await this.#toItsEnd().catch((error: unknown): SweepEnd => {
      const said = error instanceof Error ? error.message : String(error);
      return { state: "failed", because: `failed: ${said}`, error: said };
    });
    unwatch();
    unlisten();
    this.#replica.swept = false;
    this.#hold?.release();
    const endedMs = clock.nowMs();
    // Over is what is on disk and told of: whoever reads the end finds all that belongs to it.
    await this.#file.keep(book.view(), { ...end, endedMs });
    this.#tell("sweep-ended", `${this.replica}: ${end.because}`);
    book.end(end, endedMs);
  }

  async #toItsEnd(): Promise<SweepEnd> {
    const { signal } = this.#stop;
    if (this.#book.order.traffic === "drained") await this.#drain();
    if (!signal.aborted) await this.#sweep();
    if (signal.aborted) return { state: "stopped", because: this.#book.because, error: null };
    return { state: "done", because: "reached the end of its plan", error: null };
  }

  async #drain(): Promise<void> {
    const { clock, replicas } = this.#services;
    const book = this.#book;
    this.#hold = new DrainHold(replicas, this.#replica, `drained for sweep ${this.id}`);
    book.state = "draining";
    book.because = "waits until users' requests on the replica have ended";
    const { signal } = this.#stop;
    const isEmpty = await this.#hold.emptied(clock, DRAIN_WAIT_MS, signal);
    if (!isEmpty && !signal.aborted)
      throw new Error(
        `users' requests were still under way on ${this.replica} after ${DRAIN_WAIT_MS / 60_000} minutes`,
      );
  }

  async #sweep(): Promise<void> {
    const { clock, telemetry } = this.#services;
    const book = this.#book;
    if (book.state !== "stopping") book.state = "running";
    book.because = "under way";
    const thread = new SweepThread({
      clock,
      feed: telemetry.feed,
      setup: this.#setup(),
      hear: (message) => {
        this.#hear(message);
      },
    });
    book.summary = await thread.run(this.#stop.signal);
    const last = book.lastPoint;
    if (!this.#stop.signal.aborted && last !== null && last.completed === 0)
      throw new Error(
        `every request of ${last.pointId} failed (${Object.keys(last.failedBy).join(", ")})`,
      );
  }

  #setup(): SweepSetup {
    const { replicas, dataUrl, markToken, dataDir, release } = this.#services;
    const { order, id } = this.#book;
    const replica = this.#replica;
    const share = replicas.shares().find((one) => one.id === replica.id);
    const direct = replicaTarget(replica, share ?? { spec: { url: replica.url } }, order.model);
    const model = replica.recognition?.models.find((one) => one.id === order.model);
    const isDirect = order.path === "direct";
    return {
      runId: id,
      root: dataDir,
      release,
      plan: order.plan,
      subject: {
        target: replica.id,
        engine: replica.engine.name,
        engineVersion: replica.recognition?.version ?? null,
        model: order.model,
        modelMaxTokens: model?.maxModelLen ?? null,
      },
      ownRoutes: replica.recognition?.direct ?? false,
      direct,
      routed: isDirect
        ? null
        : routedTarget(direct, { dataUrl: dataUrl(), token: markToken, replica: replica.id }),
      paired: order.path === "both",
      tokensMax: order.limits.tokens,
      inFlightMax: order.inFlightMax,
    };
  }

  #hear(message: FromSweep): void {
    const { telemetry } = this.#services;
    const book = this.#book;
    switch (message.kind) {
      case "event": {
        const beside = (spanMs: number): ReturnType<typeof coTraffic> => {
          telemetry.settle();
          return coTraffic(telemetry.traffic, this.replica, spanMs);
        };
        book.hear(message.event, beside);
        // After `kill -9` of the proxy it is still known whose run it was, and what users did beside its points.
        if (KEPT_WITH.has(message.event.kind)) void this.#file.keep(book.view());
        return;
      }
      case "difference":
        book.compare(message.pointId, message.point, message.overall);
        void this.#file.keep(book.view());
        return;
      case "traffic": {
        const { batch } = message;
        book.requests = batch.requests;
        book.tokens = batch.tokens;
        this.#synthetic = batch.inFlight;
        const heardMs = Math.max(0, ...batch.ended.map((one) => one.times.lastTokenMs ?? 0));
        this.#replica.lastByteMs = Math.max(this.#replica.lastByteMs, heardMs);
        return;
      }
      case "capped":
        return this.stop(`stopped by limit: ${message.why}`);
      case "failed":
      case "done":
    }
  }

  #watch(): Cancel {
    return every(this.#services.clock, WATCH_MS, () => {
      const why = this.#reasonToStop();
      if (why !== null) this.stop(why);
    });
  }

  /** Why the sweep must not go on, whoever is at fault; `null` while it may. */
  #reasonToStop(): string | null {
    const { clock } = this.#services;
    const nowMs = clock.nowMs();
    const { request, limits } = this.#book.order;
    const { leaseSeconds } = request;
    if (nowMs - this.#book.row().startedMs > limits.minutes * 60_000)
      return `stopped by limit: ${limits.minutes} minutes are over`;
    if (leaseSeconds !== undefined && nowMs - this.#askedMs > leaseSeconds * 1000)
      return `stopped: nobody has asked about it for ${leaseSeconds} s`;
    return this.#lost() ?? this.#guarded(nowMs);
  }

  #lost(): string | null {
    const { replicas } = this.#services;
    const replica = this.#replica;
    const lost = this.#hold?.lost ?? null;
    if (lost !== null) return `stopped: ${lost}`;
    if (replicas.find(replica.id) !== replica) return "stopped: the replica was removed";
    if (replica.state === "disabled") return "stopped: the replica was disabled";
    const { lastProbe } = replica.view();
    const isGone = lastProbe?.ok === false && lastProbe.message.includes("refused");
    return isGone ? `stopped: the engine does not answer (${lastProbe.message})` : null;
  }

  #guarded(nowMs: number): string | null {
    const { telemetry } = this.#services;
    const { guards, request, inFlightMax, model } = this.#book.order;
    if (guards !== null && this.#guards !== null) {
      // Promises are counted once a second otherwise: as long as stopping may take in all.
      telemetry.settle();
      const reading = this.#guards.read(nowMs, { now: this.#synthetic, max: inFlightMax });
      this.#book.guard = reading;
      const fired = guardFired(reading, guards);
      if (fired !== null) return `stopped by guard: ${fired}`;
      // What users are kept from is no engine to press harder.
      return this.#replica.breakers.of(model).state === "closed"
        ? null
        : "stopped by guard: users' requests fail here, the breaker has opened";
    }
    if (request.force === true || othersServe(this.#services.replicas, this.#replica, model))
      return null;
    const isAsked = telemetry.traffic.window(WATCH_MS * 10, { population: "real" }).started > 0;
    return isAsked ? "stopped by guard: users came and no other replica serves them" : null;
  }

  #tell(kind: FleetEventKind, message: string): void {
    const { clock, telemetry } = this.#services;
    telemetry.feed.event({ atMs: clock.nowMs(), kind, subject: this.id, message });
  }
}
