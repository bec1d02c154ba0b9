import type { Clock } from "../../engines/clock.ts";
import type { ReplicaSet } from "../upstream/replica-set.ts";
import type { Replica } from "../upstream/replica.ts";

/** How often it is looked whether the last user has gone. */
const LOOK_MS = 50;

/**
 * Keeps one replica out of routing for as long as a sweep needs it alone. One owner, who lets go in a `finally`: a replica
 * that was in use before is in use again afterwards, and one that an operator has taken out meanwhile stays out.
 */
export class DrainHold {
  readonly #fleet: ReplicaSet;
  readonly #replica: Replica;
  readonly #because: string;
  #held: boolean;

  /** Takes it out of routing, unless it is out already. */
  constructor(fleet: ReplicaSet, replica: Replica, because: string) {
    this.#fleet = fleet;
    this.#replica = replica;
    this.#because = because;
    this.#held = replica.state !== "draining";
    if (this.#held) fleet.drain(replica.id, because);
  }

  /** Resolves once no request of ours is there any more, after `limitMs` or when told to stop. True when it is empty. */
  async emptied(clock: Clock, limitMs: number, signal: AbortSignal): Promise<boolean> {
    const untilMs = clock.nowMs() + limitMs;
    while (this.#replica.inFlight > 0 && clock.nowMs() < untilMs && !signal.aborted)
      await clock.after(LOOK_MS, signal);
    return this.#replica.inFlight === 0;
  }

  /** Why the replica is not the sweep's alone any more; `null` while it is. */
  get lost(): string | null {
    if (this.#fleet.find(this.#replica.id) !== this.#replica) return "the replica was removed";
    return this.#replica.state === "draining"
      ? null
      : `the replica is ${this.#replica.state} (${this.#replica.because})`;
  }

  /** Back into routing. Safe to call more than once. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    const { id, state, because } = this.#replica;
    const isOurs = state === "draining" && because === this.#because;
    if (isOurs && this.#fleet.find(id) === this.#replica)
      this.#fleet.undrain(id, "put back after a sweep");
  }
}
