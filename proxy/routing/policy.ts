import type { RouteDecision } from "../../engines/exchange.ts";
import type { Replica } from "../upstream/replica.ts";

/** What a policy may know of a request. */
export interface RouteRequest {
  readonly model: string;
  readonly session: string | null;
  readonly bodyBytes: number;
}

/** Picks one of several usable replicas. Candidates are never empty and all serve the model. */
export interface Policy {
  choose(candidates: readonly Replica[], request: RouteRequest): Choice;
}

/** The replica and why, as a closed label for metrics and a sentence for people. */
export interface Choice {
  readonly replica: Replica;
  readonly reason: string;
  readonly sentence: string;
}

/** A choice together with the policy that made it. */
export interface Routed {
  readonly replica: Replica;
  readonly decision: RouteDecision;
}
