import type { Cancel, Clock } from "../../engines/clock.ts";
import { Roster } from "../roster.ts";
import type { InFlightTable } from "../upstream/in-flight.ts";
import type { Cuttable, Judgement, Members } from "../upstream/members.ts";
import { Replica, type ReplicaLimits } from "../upstream/replica.ts";
import type { Pushback, ReplicaShare, Report, Verdict } from "./message.ts";

export interface MirrorSetParts {
  readonly clock: Clock;
  readonly table: InFlightTable;
  readonly row: number;
  readonly limits: ReplicaLimits;
  readonly report: (report: Report) => void;
}

/**
 * The fleet as one thread of the data path sees it: connections of its own, counts shared by all threads, and states as the
 * main thread says, which alone probes. What this thread learns of a replica counts here at once and everywhere a moment later.
 */
export class MirrorSet implements Members {
  readonly #parts: MirrorSetParts;
  readonly #replicas = new Map<string, Replica>();
  readonly #running = new Map<string, Roster<Cuttable>>();

  constructor(parts: MirrorSetParts) {
    this.#parts = parts;
  }

  all(): Iterable<Replica> {
    return this.#replicas.values();
  }

  /** Takes over the main thread's view of the fleet. */
  take(shares: readonly ReplicaShare[]): void {
    const kept = new Set(shares.map(({ id }) => id));
    for (const [id, replica] of this.#replicas) {
      if (kept.has(id)) continue;
      this.#replicas.delete(id);
      this.#running.delete(id);
      // A graceful close lets running streams finish on their own.
      replica.close();
    }
    for (const share of shares) this.#mirror(share);
  }

  onCut(replica: Replica, running: Cuttable): Cancel {
    const all = this.#running.get(replica.id) ?? new Roster();
    this.#running.set(replica.id, all);
    return all.add(running);
  }

  unreachable(replica: Replica, why: string): void {
    if (!replica.available) return;
    replica.enter("down", why);
    this.#parts.report({ kind: "unreachable", replica: replica.id, why });
  }

  pushedBack(replica: Replica, retryAfterMs: number | null): void {
    replica.pushBack(retryAfterMs);
    this.#parts.report({ kind: "pushed-back", pushback: { replica: replica.id, retryAfterMs } });
  }

  judge(replica: Replica, judgement: Judgement): void {
    apply(replica, judgement);
    const { model, verdict, why } = judgement;
    if (verdict === "neutral") return;
    this.#parts.report({ kind: "judged", verdict: { replica: replica.id, model, verdict, why } });
  }

  /** Another thread judged. */
  heard({ replica: id, ...judgement }: Verdict): void {
    const replica = this.#replicas.get(id);
    if (replica === undefined) return;
    apply(replica, { ...judgement, mark: replica.breakers.of(judgement.model).sent() });
  }

  /** Another thread was pushed back. */
  heardPushback({ replica, retryAfterMs }: Pushback): void {
    this.#replicas.get(replica)?.pushBack(retryAfterMs);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.all()].map((replica) => replica.destroy()));
  }

  #mirror(share: ReplicaShare): void {
    const { clock, table, row, limits } = this.#parts;
    const { id, url, spec, column, state, because, recognition, stats, statsAtMs } = share;
    let replica = this.#replicas.get(id);
    if (replica === undefined || replica.url !== url) {
      replica?.close();
      const inFlight = table.counter(row, column);
      replica = new Replica(id, url, clock, { ...spec, ...limits, inFlight });
      this.#replicas.set(id, replica);
    }
    if (recognition !== null) replica.recognise(recognition);
    replica.stats = stats;
    replica.statsAtMs = statsAtMs;
    if (!replica.enter(state, because) || state !== "disabled") return;
    for (const running of this.#running.get(id) ?? []) running.disabled();
  }
}

function apply(replica: Replica, { model, mark, verdict }: Judgement): void {
  const breaker = replica.breakers.of(model);
  if (verdict === "neutral") breaker.neutral(mark);
  else if (verdict === "bad") breaker.failed(mark);
  else if (breaker.succeeded(mark)) replica.recovered();
}
