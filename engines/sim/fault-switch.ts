import { forkRandom, type Random } from "../random.ts";
import { type Fault, faultKinds, findFault, type FaultKind, type FaultOf } from "./faults.ts";

/**
 * The faults switched on now, and whom they meet. Per-request faults are drawn once, when a request arrives, and
 * stay with it: switching them off does not heal an answer that has begun.
 */
export class FaultSwitch {
  readonly #random: Random;
  #faults: readonly Fault[] = [];
  /** Requests each fault of the list has met. */
  #met: number[] = [];

  constructor(seed: number) {
    this.#random = forkRandom(seed, "faults");
  }

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  set faults(faults: readonly Fault[]) {
    this.#faults = faults;
    this.#met = faults.map(() => 0);
  }

  /** Takes one off; the others go on counting. */
  drop(fault: Fault): void {
    const at = this.#faults.indexOf(fault);
    if (at === -1) return;
    this.#faults = this.#faults.toSpliced(at, 1);
    this.#met = this.#met.toSpliced(at, 1);
  }

  /** The switched-on fault of the whole engine, or `null`. */
  find<Kind extends FaultKind>(kind: Kind): FaultOf<Kind> | null {
    return findFault(this.#faults, kind);
  }

  /** Faults that meet a request to this path. */
  meeting(path: string): readonly Fault[] {
    if (this.#faults.length === 0) return this.#faults;
    return this.#faults.filter((fault, index) => {
      if (!faultKinds[fault.kind].perRequest) return false;
      const { route, share, first } = fault as { route?: string; share?: number; first?: number };
      if (route !== undefined && !path.includes(route)) return false;
      const met = this.#met[index] ?? 0;
      if (first !== undefined && met >= first) return false;
      if (share !== undefined && this.#random.next() >= share) return false;
      this.#met[index] = met + 1;
      return true;
    });
  }

  /** How many requests each fault has met, in the order of {@link faults}. */
  get met(): readonly number[] {
    return this.#met;
  }
}
