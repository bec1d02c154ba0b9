import type { Fleet } from "../upstream/fleet.ts";

/** Models that may be labels at once; the rest is `other`. */
const MODELS_MAX = 64;

/** A model is a label when a replica says it serves it, so a client cannot make labels. */
export class ModelLabels {
  readonly #fleet: Fleet;
  readonly #known = new Set<string>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Looks what the fleet serves now. A model stays a label when its last replica goes: its history is still its own. */
  refresh(): void {
    for (const view of this.#fleet.views())
      for (const model of view.models) if (this.#known.size < MODELS_MAX) this.#known.add(model);
  }

  /** The model as a label; empty for a request that names none. */
  labelOf(model: string): string {
    if (model === "" || this.#known.has(model)) return model;
    this.refresh();
    return this.#known.has(model) ? model : "other";
  }
}
