import type { Policy } from "../policy.ts";

/** Models a counter is kept for at most; beyond it all share one. */
const MODELS_MAX = 256;

/** Each in turn, one counter per model so that two models do not disturb each other's rhythm. */
export function roundRobin(): Policy {
  const turns = new Map<string, number>();
  return {
    choose(candidates, { model }) {
      const key = turns.has(model) || turns.size < MODELS_MAX ? model : "";
      const turn = turns.get(key) ?? 0;
      turns.set(key, turn + 1);
      const replica = candidates[turn % candidates.length];
      if (replica === undefined) throw new RangeError("a policy needs at least one candidate");
      return { replica, reason: "turn", sentence: `turn ${turn + 1} over ${candidates.length}` };
    },
  };
}
