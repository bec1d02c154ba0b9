import type { Cancel, Clock } from "../../engines/clock.ts";
import type { Random } from "../../engines/random.ts";
import type { EngineStats, Recognition } from "../../engines/engine.ts";
import { Roster } from "../roster.ts";
import { connectionFault } from "./connection.ts";
import {
  type Fleet,
  FleetError,
  type FleetEvent,
  type FleetEventKind,
  type ReplicaSpec,
  type ReplicaState,
  type ReplicaView,
} from "./fleet.ts";
import { Contact } from "./health/contact.ts";
import type { InFlight } from "./in-flight.ts";
import type { Cuttable, Judgement, Members } from "./members.ts";
import { Replica, type ReplicaLimits } from "./replica.ts";

/** Replicas in one proxy at most. */
const REPLICAS_MAX = 1024;

export interface ReplicaSetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: (event: FleetEvent) => void;
  /** What the proxy allows every replica. */
  readonly limits?: ReplicaLimits;
  /** Where a replica's requests under way are counted; in this thread alone unless given. */
  readonly inFlightOf?: (id: string) => InFlight;
}

/** A replica with what another thread needs to serve it. Holds its keys: for threads of this process alone. */
export interface SharedReplica {
  readonly id: string;
  readonly url: string;
  readonly spec: ReplicaSpec;
  readonly state: ReplicaState;
  readonly because: string;
  readonly recognition: Recognition | null;
  readonly stats: EngineStats | null;
  readonly statsAtMs: number | null;
}

/** Every replica, kept in touch with: recognised, probed, its statistics read. */
export class ReplicaSet implements Fleet, Members {
  readonly #replicas = new Map<string, Replica>();
  readonly #specs = new Map<string, ReplicaSpec>();
  readonly #contacts = new Map<string, Contact>();
  readonly #options: ReplicaSetOptions;
  readonly #running = new Map<string, Roster<Cuttable>>();

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  all(): Iterable<Replica> {
    return this.#replicas.values();
  }

  find(id: string): Replica | undefined {
    return this.#replicas.get(id);
  }

  /** Every replica as other threads need it. */
  shares(): readonly SharedReplica[] {
    return [...this.all()].map((replica) => ({
      id: replica.id,
      url: replica.url,
      spec: this.#specs.get(replica.id) ?? { url: replica.url },
      state: replica.state,
      because: replica.because,
      recognition: replica.recognition,
      stats: replica.stats,
      statsAtMs: replica.statsAtMs,
    }));
  }

  views(): readonly ReplicaView[] {
    return [...this.#replicas.values()].map((replica) => replica.view());
  }

  /** Adds `url`, `name=url` or a whole description and returns at once; {@link ready} tells when the first probes are in. */
  add(replica: string | ReplicaSpec): ReplicaView {
    const spec = typeof replica === "string" ? specOf(replica) : replica;
    const url = originOf(spec.url);
    const id = spec.name ?? new URL(url).host;
    if ([...this.all()].some((replica) => replica.url === url)) {
      throw new FleetError("conflict", `${url} is already a replica: remove it first.`);
    }
    if (this.#replicas.has(id))
      throw new FleetError("conflict", `the name "${id}" is taken: choose another.`);
    if (this.#replicas.size >= REPLICAS_MAX) {
      throw new FleetError(
        "conflict",
        `there are ${REPLICAS_MAX} replicas already: remove one first.`,
      );
    }
    const fault = connectionFault(spec);
    if (fault !== null) throw new FleetError("invalid_replica", `replica "${id}": ${fault}`);
    const { inFlightOf } = this.#options;
    const added = new Replica(id, url, this.#options.clock, {
      ...spec,
      ...this.#options.limits,
      ...(inFlightOf === undefined ? {} : { inFlight: inFlightOf(id) }),
    });
    this.#specs.set(id, spec);
    this.#replicas.set(added.id, added);
    this.#keepInTouch(added);
    this.#tell("replica-added", added, `${url} was added`);
    return added.view();
  }

  remove(id: string): void {
    const replica = this.#get(id);
    this.#replicas.delete(id);
    this.#forget(replica);
    this.#tell(
      "replica-removed",
      replica,
      `${replica.url} was removed; ${replica.inFlight} in flight will finish`,
    );
    // A graceful close lets running streams finish on their own.
    replica.close();
  }

  drain(id: string, because = "drained by an operator"): void {
    const replica = this.#get(id);
    replica.enter("draining", because);
    this.#tell(
      "replica-draining",
      replica,
      `${because}: takes no new requests; ${replica.inFlight} in flight will finish`,
    );
  }

  undrain(id: string, because = "put back by an operator"): void {
    const replica = this.#get(id);
    replica.enter("starting", because);
    void this.#contacts.get(id)?.probe();
  }

  disable(id: string): void {
    const replica = this.#get(id);
    replica.enter("disabled", "disabled by an operator");
    this.#tell(
      "replica-disabled",
      replica,
      `out of routing at once; ${replica.inFlight} in flight were cut`,
    );
    for (const running of this.#running.get(id) ?? []) running.disabled();
  }

  onCut(replica: Replica, running: Cuttable): Cancel {
    let all = this.#running.get(replica.id);
    if (all === undefined) {
      all = new Roster();
      this.#running.set(replica.id, all);
    }
    return all.add(running);
  }

  /** Resolves when every replica has been probed once, or after `limitMs`. */
  async ready(limitMs: number): Promise<void> {
    const first = [...this.#contacts.values()].map((contact) => contact.probe());
    const stop = new AbortController();
    await Promise.race([Promise.all(first), this.#options.clock.after(limitMs, stop.signal)]);
    stop.abort();
  }

  unreachable(replica: Replica, why: string): void {
    if (replica.state !== "up") return;
    replica.enter("down", why);
    this.#tell("replica-down", replica, why);
  }

  pushedBack(replica: Replica, retryAfterMs: number | null): void {
    replica.pushBack(retryAfterMs);
  }

  judge(replica: Replica, { model, mark, verdict, why }: Judgement): void {
    const breaker = replica.breakers.of(model);
    if (verdict === "neutral") breaker.neutral(mark);
    else if (verdict === "bad" && breaker.failed(mark)) {
      const seconds = (breaker.openForMs / 1000).toFixed(0);
      const whose = model === "" ? "" : ` for ${model}`;
      this.#tell("breaker-open", replica, `held out${whose} for ${seconds} s: ${why}`);
    } else if (verdict === "good" && breaker.succeeded(mark)) {
      replica.recovered();
      this.#tell(
        "breaker-closed",
        replica,
        "answers again; its share grows back over some seconds",
      );
    }
  }

  async stop(): Promise<void> {
    const pools = [...this.all()].map((replica) => {
      this.#forget(replica);
      return replica.destroy();
    });
    await Promise.all(pools);
  }

  #keepInTouch(replica: Replica): void {
    const { clock, random } = this.#options;
    const contact = new Contact({
      replica,
      clock,
      random,
      tell: (kind, message, tokens) => {
        this.#tell(kind, replica, message, tokens);
      },
      isNeeded: () => ![...this.all()].some((other) => other.available),
    });
    this.#contacts.set(replica.id, contact);
  }

  #forget(replica: Replica): void {
    this.#contacts.get(replica.id)?.stop();
    this.#contacts.delete(replica.id);
    this.#specs.delete(replica.id);
    this.#running.delete(replica.id);
  }

  #get(id: string): Replica {
    const replica = this.#replicas.get(id);
    if (replica !== undefined) return replica;
    const known = [...this.#replicas.keys()].join(", ");
    throw new FleetError("not_found", `there is no replica "${id}": known are ${known || "none"}.`);
  }

  #tell(kind: FleetEventKind, replica: Replica, message: string, tokens?: number): void {
    this.#options.onEvent({
      atMs: this.#options.clock.nowMs(),
      kind,
      subject: replica.id,
      message,
      ...(tokens === undefined ? {} : { tokens }),
    });
  }
}

/** Reads `url` or `name=url`. */
function specOf(text: string): ReplicaSpec {
  const [, name, url] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  return name === undefined || url === undefined ? { url: text } : { name, url };
}

/** The origin of a replica URL. @throws {FleetError} when it is none. */
export function originOf(text: string): string {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch {
    throw new FleetError("invalid_replica", `"${text}" is not a URL: write http://host:port.`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new FleetError(
      "invalid_replica",
      `"${text}" is neither http nor https: write http://host:port.`,
    );
  }
  return url.origin;
}
