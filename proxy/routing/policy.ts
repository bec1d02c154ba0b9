import type { RouteDecision } from "../../engines/exchange.ts";
import type { Replica } from "../upstream/replica.ts";

/** What a policy may know of a request. */
export interface RouteRequest {
  readonly model: string;
  readonly session: string | null;
  readonly bodyBytes: number;
  /** The one replica it is for: a sweep's request, which no policy chooses for and none learns from. */
  readonly pinned?: string;
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
  readonly kind: "routed";
  readonly replica: Replica;
  readonly decision: RouteDecision;
}

/** Why no replica could be chosen. */
export type Blocked =
  /** None is up that serves the model, or all of those were tried. */
  | { readonly kind: "none" }
  /** Some would take it once one of their requests has ended. */
  | { readonly kind: "full" }
  /** So many wait for that already that there is no place left, or this one has waited long enough. */
  | { readonly kind: "queue-full" | "queue-timeout" }
  /** All that are left have named a time before which they want nothing. */
  | { readonly kind: "pushed-back"; readonly retryAfterMs: number };
