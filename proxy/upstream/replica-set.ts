import type { Cancel, Clock } from "../../engines/clock.ts";
import type { Random } from "../../engines/random.ts";
import { connectionFault } from "./connection.ts";
import {
  type Fleet,
  FleetError,
  type FleetEvent,
  type FleetEventKind,
  type ReplicaSpec,
  type ReplicaView,
} from "./fleet.ts";
import { Contact } from "./health/contact.ts";
import { Replica, type ReplicaLimits } from "./replica.ts";

/** Replicas in one proxy at most. */
const REPLICAS_MAX = 1024;

export interface ReplicaSetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: (event: FleetEvent) => void;
  /** What the proxy allows every replica. */
  readonly limits?: ReplicaLimits;
}

/** What an answer says of the replica that gave it. */
export interface Judgement {
  readonly model: string;
  /** What {@link Breaker.sent} returned when it was asked for. */
  readonly mark: number;
  /** `neutral`: the client's doing, or ours. */
  readonly verdict: "good" | "bad" | "neutral";
  readonly why: string;
}

/** Every replica, kept in touch with: recognised, probed, its statistics read. */
export class ReplicaSet implements Fleet {
  readonly #replicas = new Map<string, Replica>();
  readonly #contacts = new Map<string, Contact>();
  readonly #options: ReplicaSetOptions;
  readonly #aborts = new Map<string, Set<() => void>>();

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  all(): Iterable<Replica> {
    return this.#replicas.values();
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
    const added = new Replica(id, url, this.#options.clock, {
      ...spec,
      ...this.#options.limits,
    });
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
    void replica.pool.close();
  }

  drain(id: string): void {
    const replica = this.#get(id);
    replica.enter("draining", "drained by an operator");
    this.#tell(
      "replica-draining",
      replica,
      `takes no new requests; ${replica.inFlight} in flight will finish`,
    );
  }

  undrain(id: string): void {
    const replica = this.#get(id);
    replica.enter("starting", "put back by an operator");
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
    for (const abort of this.#aborts.get(id) ?? []) abort();
  }

  /** Registers how to cut a request that runs on a replica. The returned function forgets it. */
  onCut(replica: Replica, abort: () => void): Cancel {
    const aborts = this.#aborts.get(replica.id) ?? new Set();
    this.#aborts.set(replica.id, aborts);
    aborts.add(abort);
    return () => {
      aborts.delete(abort);
    };
  }

  /** Resolves when every replica has been probed once, or after `limitMs`. */
  async ready(limitMs: number): Promise<void> {
    const first = [...this.#contacts.values()].map((contact) => contact.probe());
    const stop = new AbortController();
    await Promise.race([Promise.all(first), this.#options.clock.after(limitMs, stop.signal)]);
    stop.abort();
  }

  /** The data path found a replica unreachable: no need to wait for the next probe. */
  unreachable(replica: Replica, why: string): void {
    if (replica.state !== "up") return;
    replica.enter("down", why);
    this.#tell("replica-down", replica, why);
  }

  /** The data path tells how an answer was; enough bad ones hold the replica out of routing for a while. */
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
      return replica.pool.destroy();
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
    this.#aborts.delete(replica.id);
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
