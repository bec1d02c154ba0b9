import { newRunId } from "../../load/results/run-manifest.ts";
import type { Preset } from "../../load/sweep/presets.ts";
import { integer, systemRandom } from "../../engines/random.ts";
import type { Replica } from "../upstream/replica.ts";
import { EmbeddedSweep, type SweepServices, USERS_MS } from "./embedded-sweep.ts";
import { othersServe } from "./other-replicas.ts";
import { guardFired, GuardWatch } from "./guard-watch.ts";
import { type KeptSweep, keptSweeps, removeOldRuns } from "./kept-sweeps.ts";
import { SweepError } from "./sweep-error.ts";
import { type SweepOrder, sweepOrder } from "./sweep-order.ts";
import { readSweepRequest } from "./sweep-request.ts";
import type { SweepRules } from "./sweep-rules.ts";
import type { SweepList, SweepRow, SweepView, TrafficFit } from "./sweep-view.ts";
import { fitRows, fitTraffic } from "./traffic-fit.ts";

/** Sweeps at a time: two on one machine would measure each other's generator. */
export const SWEEPS_MAX = 1;
const SEED_MAX = 2 ** 31 - 1;
/** Ended sweeps that are listed, kept whole in memory (a megabyte each at most) or, after a restart, read from their runs. */
const ENDED_MAX = 20;

export interface SweepDeskParts extends SweepServices {
  /** Beside those of the command line. */
  readonly presets?: Readonly<Record<string, Preset>>;
  readonly rules: SweepRules;
}

/** Takes requests for sweeps, refuses those that would hurt, and knows every one there is. */
export class SweepDesk {
  readonly #parts: SweepDeskParts;
  readonly #sweeps = new Map<string, EmbeddedSweep>();
  /** Of earlier lives of this proxy. */
  readonly #kept: Map<string, KeptSweep>;
  readonly #random = systemRandom();
  #rules: SweepRules;
  #isClosed = false;

  constructor(parts: SweepDeskParts) {
    this.#parts = parts;
    this.#kept = keptSweeps(parts.dataDir, ENDED_MAX);
    this.#rules = parts.rules;
    this.#forgetRuns();
  }

  /** Other rules for sweeps that begin from now on. */
  use(rules: SweepRules): void {
    this.#rules = rules;
    this.#forgetRuns();
  }

  /** Begins a sweep and returns at once. @throws {SweepError} when it cannot or should not be. */
  start(body: unknown): SweepView {
    const request = readSweepRequest(body);
    const replica = this.#replica(request.replica);
    this.#checkFree(replica);
    const { telemetry, presets } = this.#parts;
    telemetry.settle();
    const part = { population: "real", replica: replica.id } as const;
    const order = sweepOrder(request, {
      replica,
      realTtftP95Ms: telemetry.traffic.window(USERS_MS, part).ttft.quantile(0.95),
      ttftTargetMs: telemetry.traffic.goodput.ttftMs,
      seed: integer(this.#random, SEED_MAX),
      fit: (model) => this.fit(model),
      rules: this.#rules,
      ...(presets === undefined ? {} : { presets }),
    });
    this.#checkState(replica, order);
    this.#checkUsers(replica, order);
    const id = newRunId(new Date(this.#parts.clock.nowMs()), this.#random.next());
    const sweep = new EmbeddedSweep(id, order, replica, this.#parts);
    this.#sweeps.set(id, sweep);
    this.#forgetOldest();
    void sweep.over.then(() => {
      this.#forgetRuns();
    });
    return sweep.view();
  }

  list(): SweepList {
    const own = [...this.#sweeps.values()].toReversed();
    const newest = [...own, ...this.#kept.values()].slice(0, ENDED_MAX + SWEEPS_MAX);
    return { sweeps: newest.map((sweep) => sweep.row()), runningMax: SWEEPS_MAX };
  }

  running(): readonly SweepRow[] {
    return this.#underWay().map((sweep) => sweep.row());
  }

  find(id: string): SweepView | null {
    return this.#sweeps.get(id)?.view() ?? this.#kept.get(id)?.view() ?? null;
  }

  /** Stops one; one that is over stays as it is. @throws {SweepError} when there is none of that id. */
  stop(id: string, why: string): SweepView {
    this.#sweeps.get(id)?.stop(why);
    const view = this.find(id);
    if (view === null) throw unknownSweep(id);
    return view;
  }

  /** Real requests still kept, as a workload. */
  fit(model?: string): TrafficFit {
    return fitTraffic(fitRows(this.#parts.telemetry.ring.newest(), model));
  }

  /** Stops what runs and waits until every replica is back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const running = this.#underWay();
    for (const sweep of running) sweep.stop("stopped: the proxy is going down");
    await Promise.all(running.map((sweep) => sweep.over));
  }

  #underWay(): readonly EmbeddedSweep[] {
    return [...this.#sweeps.values()].filter((sweep) => !sweep.isOver);
  }

  #replica(id: string): Replica {
    const replica = this.#parts.replicas.find(id);
    if (replica !== undefined) return replica;
    const known = this.#parts.replicas.views().map((view) => view.id);
    throw new SweepError(
      "not_found",
      `there is no replica "${id}": known are ${known.join(", ") || "none"}.`,
    );
  }

  #checkFree(replica: Replica): void {
    if (this.#isClosed)
      throw new SweepError("conflict", "the proxy is going down: sweep after its next start.");
    const running = this.#underWay();
    const same = running.find((sweep) => sweep.replica === replica.id);
    const other = same ?? (running.length >= SWEEPS_MAX ? running[0] : undefined);
    if (other !== undefined)
      throw new SweepError(
        "conflict",
        `sweep ${other.id} of ${other.replica} is running: wait for it, or stop it with DELETE /api/v1/sweeps/${other.id}.`,
      );
  }

  #checkState(replica: Replica, { traffic }: SweepOrder): void {
    const { state, because } = replica;
    const isUsable = state === "up" || (state === "draining" && traffic === "drained");
    if (!isUsable)
      throw new SweepError(
        "conflict",
        `${replica.id} is ${state} (${because}): ${state === "draining" ? "sweep it drained" : "sweep one that is up"}.`,
      );
  }

  /** Users come first: not on the last replica they have, not without a word, not when they wait too long already. */
  #checkUsers(replica: Replica, order: SweepOrder): void {
    const { telemetry, replicas, clock } = this.#parts;
    const { request, model, traffic, guards } = order;
    const fleet = telemetry.traffic.window(USERS_MS, { population: "real" });
    const isUsed = fleet.started > 0 || [...telemetry.feed.inFlight()].some(isReal);
    if (request.force !== true && isUsed && !othersServe(replicas, replica, model))
      throw new SweepError(
        "conflict",
        `${replica.id} is the last healthy replica that serves ${model} and users are there: add another, or send force: true.`,
      );
    if (traffic !== "beside" || guards === null) return;
    const watch = new GuardWatch({
      feed: telemetry.feed,
      slos: telemetry.slos.slos,
      replica: replica.id,
      guards,
    });
    for (const exchange of telemetry.ring.newest()) watch.ended(exchange);
    const reading = watch.read(clock.nowMs(), { now: 0, max: order.inFlightMax });
    const fired = guardFired(reading, guards);
    if (fired !== null)
      throw new SweepError("conflict", `users come first: ${fired}. Wait, or raise the guard.`);
    const part = { population: "real", replica: replica.id } as const;
    const here = telemetry.traffic.window(USERS_MS, part);
    const isHere = here.started > 0 || Object.keys(here.ended).length > 0 || reading.inFlight > 0;
    if (!isHere || request.confirm === true) return;
    const p95 = here.ttft.quantile(0.95);
    const ended = Object.values(here.ended).reduce((sum, count) => sum + count, 0);
    throw new SweepError(
      "confirmation_required",
      `users are on ${replica.id}: ${ended} requests in the last minute, ${reading.inFlight} under way, TTFT p95 ${p95 === null ? "—" : `${p95.toFixed(0)} ms`}. Send confirm: true if you mean it, or sweep it drained.`,
    );
  }

  /** Takes the oldest runs off the disk, where the rules say how many are kept. */
  #forgetRuns(): void {
    const { dataDir } = this.#parts;
    const { runsMax } = this.#rules;
    if (dataDir === null || runsMax === undefined) return;
    for (const id of removeOldRuns(dataDir, runsMax)) this.#kept.delete(id);
  }

  #forgetOldest(): void {
    for (const [id, sweep] of this.#sweeps) {
      if (this.#sweeps.size <= ENDED_MAX + SWEEPS_MAX) return;
      if (sweep.isOver) this.#sweeps.delete(id);
    }
  }
}

/** The sentence for an id nobody knows. */
export function unknownSweep(id: string): SweepError {
  return new SweepError("not_found", `there is no sweep ${id.slice(0, 100)}: GET /api/v1/sweeps.`);
}

function isReal({ start }: { readonly start: { readonly origin: string } }): boolean {
  return start.origin === "real";
}
