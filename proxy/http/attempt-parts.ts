import type { Clock } from "../../engines/clock.ts";
import type { Replica } from "../upstream/replica.ts";
import type { Attempt } from "./attempt.ts";
import type { TimeLimits } from "./deadlines.ts";
import type { InferenceRequest } from "./inference-request.ts";
import type { Outlet } from "./outlet.ts";

/** What one try is made of. */
export interface AttemptParts {
  readonly request: InferenceRequest;
  readonly outlet: Outlet;
  readonly replica: Replica;
  readonly clock: Clock;
  readonly limits: TimeLimits;
  /** 1 for the first try. */
  readonly number: number;
  readonly words: ReplicaWords;
  /** `fresh`: a socket that has carried nothing yet, whatever the pool has at hand. */
  readonly lane: "pooled" | "fresh";
  /** Whether the body will be needed again should this try fail. */
  readonly isReplayable: boolean;
  readonly judge: AttemptJudge;
}

/** What one replica is told beside what the client said. */
export interface ReplicaWords {
  /** The replica's headers, and this attempt's place in the trace: instead of the client's of the same names. */
  readonly own: readonly string[];
  /** Names (in lower case) of the client's headers that this replica is not told. */
  readonly leftOut: readonly string[];
}

/** Whoever runs attempts and decides between them. */
export interface AttemptJudge {
  /** Whether an answer of this status should rather be asked of another replica. */
  mayRetry(status: number): boolean;
  /** Told of an error of our own making that struck in the middle of the answer. */
  onFault(error: unknown): void;
  /** Asked once, before the first byte goes to the client; false when another attempt was first. */
  claims(attempt: Attempt): boolean;
}
