import type { Cancel } from "../../engines/clock.ts";
import type { Replica } from "./replica.ts";

/** What an answer says of the replica that gave it. */
export interface Judgement {
  readonly model: string;
  /** What {@link Breaker.sent} returned when it was asked for. */
  readonly mark: number;
  /** `neutral`: the client's doing, or ours. */
  readonly verdict: "good" | "bad" | "neutral";
  readonly why: string;
}

/** Something that runs on a replica. */
export interface Cuttable {
  /** The replica was taken out of service by an operator. */
  disabled(): void;
}

/** The replicas as the data path sees them: who is there, and where it tells what it learnt of them. */
export interface Members {
  all(): Iterable<Replica>;
  /** Registers what runs on a replica, to be cut with it. The returned function forgets it. */
  onCut(replica: Replica, running: Cuttable): Cancel;
  /** The data path found a replica unreachable: no need to wait for the next probe. */
  unreachable(replica: Replica, why: string): void;
  /** It asked to be left alone, for as long as it said. */
  pushedBack(replica: Replica, retryAfterMs: number | null): void;
  /** How an answer was; enough bad ones hold the replica out of routing for a while. */
  judge(replica: Replica, judgement: Judgement): void;
}
