import { integer, type Random } from "../../../engines/random.ts";
import type { Policy } from "../policy.ts";

/** The replica with the fewest requests of ours under way, by weight; ties are broken at random, or an idle fleet's first replica would get everything. */
export function leastInFlight(random: Random): Policy {
  return {
    choose(candidates) {
      let least = Infinity;
      let ties = 0;
      let replica = candidates[0];
      for (const candidate of candidates) {
        const load = candidate.inFlight / candidate.weight;
        if (load > least) continue;
        ties = load < least ? 1 : ties + 1;
        least = load;
        if (integer(random, ties) === 0) replica = candidate;
      }
      if (replica === undefined) throw new RangeError("a policy needs at least one candidate");
      const among = ties > 1 ? `, one of ${ties} equals` : "";
      return {
        replica,
        reason: "least_in_flight",
        sentence: `least in flight of ${candidates.length}: ${replica.inFlight} under way${among}`,
      };
    },
  };
}
