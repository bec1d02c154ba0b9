import type { Random } from "../../engines/random.ts";
import { BREAKER } from "../upstream/health/breaker.ts";
import type { Replica } from "../upstream/replica.ts";
import type { Members } from "../upstream/members.ts";
import { policies, type PolicyName } from "./policies/index.ts";
import type { TriedReplicas } from "./tried.ts";
import type { Blocked, Policy, Routed, RouteRequest } from "./policy.ts";

/** Narrows the fleet to replicas that may take a request, then asks the policy. */
export class Router {
  readonly #replicas: Members;
  readonly #random: Random;
  readonly #ejectedShareMax: number;
  #policy: Policy;
  #name: PolicyName;

  constructor(
    replicas: Members,
    name: PolicyName,
    random: Random,
    ejectedShareMax = BREAKER.ejectedShareMax,
  ) {
    this.#replicas = replicas;
    this.#random = random;
    this.#ejectedShareMax = ejectedShareMax;
    this.#name = name;
    this.#policy = policies[name](random);
  }

  /** Routes by another policy from now on; the same one keeps what it has learnt. */
  use(name: PolicyName): void {
    if (name === this.#name) return;
    this.#name = name;
    this.#policy = policies[name](this.#random);
  }

  /** A replica not tried before, or why there is none. */
  route(request: RouteRequest, tried: TriedReplicas): Routed | Blocked {
    if (request.pinned !== undefined) return this.#pinned(request.pinned, tried);
    const candidates = this.#plain(request.model, tried) ?? this.#candidates(request, tried);
    if (!Array.isArray(candidates)) return candidates;
    const { replica, reason, sentence } = this.#policy.choose(candidates, request);
    const label = tried.size > 0 ? "retry" : candidates.length === 1 ? "only_one" : reason;
    return { kind: "routed", replica, decision: { policy: this.#name, reason: label, sentence } };
  }

  #candidates(request: RouteRequest, tried: TriedReplicas): Replica[] | Blocked {
    const usable = this.#usable(request, tried);
    if (!Array.isArray(usable)) return usable;
    const free = usable.filter((replica) => !replica.full);
    return free.length === 0 ? { kind: "full" } : this.#warmEnough(free);
  }

  /** The usual fleet in one pass: those that serve the model, if none of them needs a second look. */
  #plain(model: string, tried: TriedReplicas): Replica[] | null {
    if (tried.size > 0) return null;
    const serving: Replica[] = [];
    for (const replica of this.#replicas.all()) {
      if (!replica.available || !serves(replica, model)) continue;
      const isPlain =
        !replica.full &&
        replica.pushbackMs === 0 &&
        replica.warmth >= 1 &&
        replica.breakers.of(model).admits;
      if (!isPlain) return null;
      serving.push(replica);
    }
    return serving.length > 0 ? serving : null;
  }

  /** Whether a replica not tried yet could take the request now. */
  hasOther(request: RouteRequest, tried: TriedReplicas): boolean {
    if (request.pinned !== undefined) return false;
    const usable = this.#usable(request, tried);
    return Array.isArray(usable) && usable.some((replica) => !replica.full);
  }

  /** Whether a replica not tried yet is left, were it to wait for. */
  hasUntried(request: RouteRequest, tried: TriedReplicas): boolean {
    if (request.pinned !== undefined) return false;
    return Array.isArray(this.#usable(request, tried));
  }

  /** Whether any recognised replica serves the model; true while nothing is known. */
  knowsModel(model: string): boolean {
    if (model === "") return true;
    let known = false;
    for (const { models } of this.#replicas.all()) {
      if (models.includes(model)) return true;
      known ||= models.length > 0;
    }
    return !known;
  }

  /** A replica that serves users, or is drained for the sweep that asks; however full, since quotas are the users'. */
  #pinned(id: string, tried: TriedReplicas): Routed | Blocked {
    for (const replica of this.#replicas.all()) {
      if (replica.id !== id || tried.has(replica)) continue;
      if (!replica.available && replica.state !== "draining") continue;
      const decision = { policy: "sweep", reason: "pinned", sentence: `a sweep of ${id}` };
      return { kind: "routed", replica, decision };
    }
    return { kind: "none" };
  }

  /** Replicas that could answer, busy or not; those that asked to be left alone only when nobody else is left. */
  #usable({ model }: RouteRequest, tried: TriedReplicas): Replica[] | Blocked {
    const serving: Replica[] = [];
    for (const replica of this.#replicas.all()) {
      if (replica.available && serves(replica, model)) serving.push(replica);
    }
    const untried = this.#admitting(serving, model).filter((replica) => !tried.has(replica));
    if (untried.length === 0) return { kind: "none" };
    const open = untried.filter((replica) => replica.pushbackMs === 0);
    if (open.length > 0) return open;
    const unbound = untried.filter((replica) => !replica.pushbackBinds);
    if (unbound.length > 0) return unbound;
    const waits = untried.map((replica) => replica.pushbackMs);
    return { kind: "pushed-back", retryAfterMs: Math.min(...waits) };
  }

  /**
   * Leaves out replicas whose breaker is open, unless that would be most of them: when nearly everybody fails it is not
   * them, and sending everything to the last one would fell it too.
   */
  #admitting(serving: Replica[], model: string): Replica[] {
    const admitting = serving.filter((replica) => replica.breakers.of(model).admits);
    const ejected = serving.length - admitting.length;
    return ejected > serving.length * this.#ejectedShareMax ? serving : admitting;
  }

  /** A replica that has just come back sits out some choices, fewer as time goes on. */
  #warmEnough(candidates: Replica[]): Replica[] {
    if (!candidates.some((replica) => replica.warmth < 1)) return candidates;
    const warm = candidates.filter((replica) => this.#random.next() < replica.warmth);
    return warm.length > 0 ? warm : candidates;
  }
}

/** Whether it serves the model, as far as is known. */
function serves({ models }: Replica, model: string): boolean {
  return model === "" || models.length === 0 || models.includes(model);
}
