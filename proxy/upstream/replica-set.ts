import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import { identify } from "../../engines/identify.ts";
import { integer, type Random } from "../../engines/random.ts";
import { connectionFault } from "./connection.ts";
import {
  type Fleet,
  FleetError,
  type FleetEvent,
  type FleetEventKind,
  type ReplicaSpec,
  type ReplicaView,
} from "./fleet.ts";
import { probeGet, probeHealth } from "./probe.ts";
import { Replica, type ReplicaLimits } from "./replica.ts";

/** Between probes of one replica; a random part keeps several proxies from probing in step. */
const PROBE_PERIOD_MS = 2_000;
const PROBE_JITTER_MS = 200;
/** A replica that is down is asked more often: it should be back in seconds. */
const DOWN_PROBE_PERIOD_MS = 1_000;
/** Bytes seen this recently prove a replica alive better than any probe. */
const ALIVE_FOR_MS = 5_000;
/** Engine statistics are read this often: near real time, and a page of a few hundred lines. */
const STATS_PERIOD_MS = 1_000;
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
  readonly #beats = new Map<string, Cancel[]>();
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
    void this.#probe(replica);
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
    const first = [...this.all()].map((replica) => this.#probe(replica));
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
    let probing = false;
    let lastMs = 0;
    const beat = (): void => {
      const period = replica.state === "up" ? PROBE_PERIOD_MS : DOWN_PROBE_PERIOD_MS;
      if (probing || clock.nowMs() - lastMs < period) return;
      probing = true;
      lastMs = clock.nowMs() + integer(random, PROBE_JITTER_MS);
      void this.#probe(replica).finally(() => {
        probing = false;
      });
    };
    let reading = false;
    const read = (): void => {
      if (reading || replica.state !== "up") return;
      reading = true;
      void this.#readStats(replica).finally(() => {
        reading = false;
      });
    };
    this.#beats.set(replica.id, [
      every(clock, DOWN_PROBE_PERIOD_MS / 4, beat),
      every(clock, STATS_PERIOD_MS, read),
    ]);
  }

  #forget(replica: Replica): void {
    for (const cancel of this.#beats.get(replica.id) ?? []) cancel();
    this.#beats.delete(replica.id);
    this.#aborts.delete(replica.id);
  }

  async #probe(replica: Replica): Promise<void> {
    const { clock } = this.#options;
    const result = await probeHealth(replica, clock);
    const isStreaming = clock.nowMs() - replica.lastByteMs < ALIVE_FOR_MS;
    if (!result.ok && result.status === null && isStreaming && !result.message.includes("refused"))
      return;
    if (result.ok && (!replica.recognised || replica.state !== "up")) {
      const signal = new AbortController().signal;
      replica.recognise(await identify((path, within) => probeGet(replica, path, within), signal));
    }
    const isNeeded = ![...this.all()].some((other) => other.available);
    if (result.ok && replica.heldDown && !isNeeded) return;
    if (!replica.probed(result)) return;
    const up = replica.state === "up";
    this.#tell(
      up ? "replica-up" : "replica-down",
      replica,
      up ? `${replica.engine.name} answers` : result.message,
    );
  }

  async #readStats(replica: Replica): Promise<void> {
    const source = replica.engine.stats;
    for (const path of source.paths) {
      const answer = await probeGet(replica, path);
      const stats = answer.status === 200 ? source.read(path, answer.body) : null;
      if (stats === null) continue;
      replica.stats = stats;
      replica.statsAtMs = this.#options.clock.nowMs();
      return;
    }
  }

  #get(id: string): Replica {
    const replica = this.#replicas.get(id);
    if (replica !== undefined) return replica;
    const known = [...this.#replicas.keys()].join(", ");
    throw new FleetError("not_found", `there is no replica "${id}": known are ${known || "none"}.`);
  }

  #tell(kind: FleetEventKind, replica: Replica, message: string): void {
    this.#options.onEvent({
      atMs: this.#options.clock.nowMs(),
      kind,
      subject: replica.id,
      message,
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
