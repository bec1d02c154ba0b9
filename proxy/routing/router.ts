import type { Random } from "../../engines/random.ts";
import type { Replica } from "../upstream/replica.ts";
import type { ReplicaSet } from "../upstream/replica-set.ts";
import { policies, type PolicyName } from "./policies/index.ts";
import type { Policy, Routed, RouteRequest } from "./policy.ts";

/** Narrows the fleet to replicas that may take a request, then asks the policy. */
export class Router {
  readonly #replicas: ReplicaSet;
  readonly #random: Random;
  #policy: Policy;
  #name: PolicyName;

  constructor(replicas: ReplicaSet, name: PolicyName, random: Random) {
    this.#replicas = replicas;
    this.#random = random;
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
  route(request: RouteRequest, tried: ReadonlySet<Replica>): Routed | null {
    const candidates = this.#candidates(request).filter((replica) => !tried.has(replica));
    if (candidates.length === 0) return null;
    const { replica, reason, sentence } = this.#policy.choose(candidates, request);
    const label = tried.size > 0 ? "retry" : candidates.length === 1 ? "only_one" : reason;
    return { replica, decision: { policy: this.#name, reason: label, sentence } };
  }

  /** Whether a replica not tried yet could take the request. */
  hasOther(request: RouteRequest, tried: ReadonlySet<Replica>): boolean {
    return this.#candidates(request).some((replica) => !tried.has(replica));
  }

  /** Whether any recognised replica serves the model; true while nothing is known. */
  knowsModel(model: string): boolean {
    if (model === "") return true;
    const known = [...this.#replicas.all()].filter((replica) => replica.models.length > 0);
    return known.length === 0 || known.some((replica) => replica.models.includes(model));
  }

  #candidates({ model }: RouteRequest): Replica[] {
    return [...this.#replicas.all()].filter(
      (replica) =>
        replica.available &&
        (model === "" || replica.models.length === 0 || replica.models.includes(model)),
    );
  }
}
